"""Reads a page as a person or their tools would: its elements in order, and its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from drawn_run import DrawnRun

_VOID = {"img", "meta", "br", "link", "input", "hr"}
_INLINE = {"a", "b", "code", "em", "span", "strong", "svg", "use", "path", "text", "rect", "line"}


@dataclass
class Element:
    """An HTML element: tag, attributes, the text inside, the elements it stands in."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements of a page and its visible text, style left out."""

    source: str
    elements: list[Element] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.source)
        assert not self._open, f"never closed: {[e.tag for e in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs}, tuple(e.tag for e in self._open))
        self.elements.append(element)
        if tag not in _INLINE:
            self.handle_data(" ")
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}, tuple(e.tag for e in self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if any(e.tag == "style" for e in self._open):
            return
        self.text += data
        for element in self._open:
            element.text += data

    def all(self, tag: str) -> Iterator[Element]:
        return (e for e in self.elements if e.tag == tag)

    def by_id(self, name: str) -> Element:
        return next(e for e in self.elements if e.attributes.get("id") == name)

    @property
    def words(self) -> str:
        """The text with every run of white space, no-break spaces too, as one space."""
        return plain(self.text)


def plain(text: str) -> str:
    return " ".join(text.split())


def read(page: Path) -> Page:
    return Page(page.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Written:
    """A drawn run with its page."""

    run: DrawnRun
    path: Path
    page: Page

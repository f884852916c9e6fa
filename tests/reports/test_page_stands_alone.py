"""The page opens from a disk, without network or script, in any browser, and says the same thing every time."""

from __future__ import annotations

import re
import shutil
from itertools import chain, pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from drawn_run import make_both_run, make_run
from page_reading import Page, Written, read
from PIL import Image

from audit import tables
from reports import write_report

_REFERENCES = re.compile(r"""(?:src|href|srcset|data|action)\s*=\s*["']?([^"'\s>]+)|url\(\s*["']?([^"')]+)""")


def test_nothing_is_loaded_from_a_network(every_page: list[Written]) -> None:
    """But for a link that a reader may follow, to the weights of a model that was skipped."""
    for done in every_page:
        source = re.sub(r'<a class="outside" rel="noreferrer external" href="https://[^"]*">', "", done.page.source)
        targets = ["".join(found) for found in _REFERENCES.findall(source)]
        assert len(targets) > 10
        assert [t for t in targets if re.match(r"(?i)\w+:|//", t)] == []


def test_the_search_for_network_references_would_find_one() -> None:
    for fault in (
        '<img src="https://a.example/x.png">',
        "a{background:url(http://a.example)}",
        '<a href="//a.example">',
    ):
        target = "".join(_REFERENCES.findall(fault)[0])
        assert re.match(r"(?i)\w+:|//", target)


def test_it_needs_no_script_and_no_inline_style_so_a_strict_policy_leaves_it_readable(page: Page) -> None:
    assert list(page.all("script")) == []
    assert [e for e in page.elements if "style" in e.attributes] == []
    assert [k for e in page.elements for k in e.attributes if k.startswith("on")] == []
    policy = next(e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy.attributes["content"]


def test_every_picture_is_there_with_its_size_and_says_what_it_shows(every_page: list[Written]) -> None:
    for done in every_page:
        images = list(done.page.all("img"))
        assert len(images) >= 4
        for image in images:
            held = image.attributes
            with Image.open(done.path.parent / held["src"]) as file:
                assert file.format == "WEBP"
                assert file.size == (int(held["width"]), int(held["height"]))
            assert held["loading"] == "lazy"
            assert len(held["alt"]) > 15


def test_every_link_leads_somewhere(every_page: list[Written]) -> None:
    for done in every_page:
        names = [e.attributes["id"] for e in done.page.elements if "id" in e.attributes]
        assert len(names) == len(set(names)), "an id stands twice"
        links = (e for e in done.page.all("a") if e.attributes.get("class") != "outside")
        targets = [e.attributes["href"] for e in chain(links, done.page.all("use"))]
        targets += re.findall(r"url\((#[^)]+)\)", done.page.source)
        for target in targets:
            if target.startswith("#"):
                assert target[1:] in names
            else:
                assert (done.path.parent / unquote(target)).is_file()


def test_every_table_of_the_run_is_linked_beside_the_page(written: Written, both: Written) -> None:
    for done in (written, both):
        links = {e.attributes["href"] for e in done.page.all("a")}
        files = {f"../{p.name}" for p in done.run.folder.iterdir() if p.is_file()}
        assert files <= links


@pytest.mark.parametrize("kind", ["written", "studio", "both"])
def test_it_can_be_read_by_ear_and_by_keyboard(kind: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(kind).page
    root = next(page.all("html"))
    assert root.attributes["lang"] == "en"
    assert len(list(page.all("h1"))) == 1
    for landmark in ("main", "nav", "header", "footer", "title"):
        assert len(list(page.all(landmark))) == 1
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels)), "a heading level is skipped"
    assert all("scope" in e.attributes for e in page.all("th"))
    assert len(list(page.all("table"))) == len(list(page.all("caption")))
    pictured = [e for e in page.all("svg") if e.attributes.get("aria-hidden") != "true"]
    assert all(e.attributes.get("role") == "img" and e.attributes.get("aria-label") for e in pictured)


def test_studio_pictures_are_light_too(both: Written) -> None:
    """42 pairs of pictures of 224 px and their maps; a whole audit has three times as many."""
    assert sum(p.stat().st_size for p in both.path.parent.glob("assets/*")) < 1_500_000
    assert both.path.stat().st_size < 1_000_000


def test_it_is_light_enough_to_send(written: Written) -> None:
    assert written.path.stat().st_size < 5_000_000 / 8  # 8 conditions here, three dozen by default: 15 cards in both
    assert all(p.stat().st_size < 60_000 for p in written.path.parent.glob("assets/*"))


def test_equal_runs_give_equal_bytes(written: Written, tmp_path: Path) -> None:
    """Also from another folder, and over an earlier report whose left-over pictures go away."""
    again = make_run(tmp_path)
    stale = again.folder / "report" / "assets" / "stale.webp"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of an earlier report")
    path = write_report(again.folder, again.store)
    assert contents(written.path) == contents(path)


def test_equal_runs_over_both_sets_give_equal_bytes(both: Written, tmp_path: Path) -> None:
    again = make_both_run(tmp_path)
    assert contents(both.path) == contents(write_report(again.folder, again.store))


def contents(page: Path) -> dict[Path, bytes]:
    """What the report's folder holds."""
    return {p.relative_to(page.parent): p.read_bytes() for p in page.parent.rglob("*.*")}


def test_data_from_outside_stays_text(written: Written, tmp_path: Path) -> None:
    """A sentence, a configuration and a checkpoint name that try to be markup."""
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    shutil.copytree(written.run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("report"))
    tables.FAILURES.write(tables.FAILURES.read(tmp_path / "run").head(1).assign(sentence=hostile), tmp_path / "run")
    record = (tmp_path / "run" / "run.json").read_text()
    (tmp_path / "run" / "run.json").write_text(record.replace("proximity.safetensors", hostile))
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text() + f"# </pre>{hostile}\n")
    page = read(write_report(tmp_path / "run", written.run.store))
    assert page.text.count(hostile) >= 3
    assert list(page.all("script")) == []
    assert all("onerror" not in e.attributes for e in page.all("img"))


def test_people_s_home_folders_are_not_passed_on(page: Page) -> None:
    assert "/home/someone" not in page.source
    assert "~/store" in page.source


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(theme: str, root: Path) -> None:
    """WCAG contrast of at least 4.5 for every pair of ink and ground the style sheet makes, in both themes."""
    colours = _variables((root / "reports" / "templates" / "style.css").read_text(), theme)
    pairs = [(ink, "paper") for ink in ("ink", "muted", "accent", "bad", "good", "warn")]
    pairs += [("ink", "soft"), ("ink", "bad-soft"), ("ink", "warn-soft"), ("muted", "soft")]
    pairs += [("on-light" if s < 4 else "on-dark", f"shade-{s}") for s in range(7)]
    pairs += [("on-light" if p < 3 else "on-dark", f"p{p}") for p in range(5)]
    pairs += [(f"on-{r}", f"region-{r}") for r in ("object", "shadow", "outside", "floor", "background")]
    pairs += [(ink, "clear") for ink in ("ink", "good")]
    poor = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: value for pair, value in poor.items() if value < 4.5} == {}


def _variables(style: str, theme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{([^}]*--[^}]*)\}", style)
    found: dict[str, str] = {}
    for block in blocks[: 1 if theme == "light" else 2]:
        found.update(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    return found


def _contrast(one: str, other: str) -> float:
    """Relative luminance ratio, WCAG 2.2."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

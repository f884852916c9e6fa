"""One page for both kinds of network: each scene set has its part, under one verdict."""

from __future__ import annotations

import re
from itertools import pairwise

from page_reading import Page, Written, plain

SECTIONS = ("findings", "factors", "interventions", "attention", "preprocessing", "quality")


def part(page: Page, name: str) -> str:
    """The text between the heading of a part and that of the next, or of what is common to both."""
    start = page.source.index(f'id="{name}-part"')
    ends = [page.source.find(f'id="{i}"', start + 1) for i in ("studio-part", "provenance")]
    found = page.source[start : min(e for e in ends if e > 0)]
    return plain(re.sub(r"<[^>]+>", " ", found))


def test_one_verdict_stands_over_both_with_a_line_per_model(both: Written) -> None:
    header = plain(next(both.page.all("header")).text)
    assert header.index("Failures found") < header.index("proximity fails under") < header.index("squeezenet1_0 fails")
    assert "What causes an alarm: Under front light the shadow alone" in header
    assert "What the answer hangs on: On these objects the right class" in header
    assert "127 of 128 cells usable" in header
    assert "Tabletop 71 of 72; Studio 56 of 56" in header
    assert "Control gate, proximity" in header
    assert "Control gate, squeezenet1_0" in header


def test_a_skipped_model_comes_with_the_address_of_its_weights(both: Written) -> None:
    header = plain(next(both.page.all("header")).text)
    assert "resnet18 was skipped:" in header
    link = next(e for e in both.page.all("a") if e.attributes["href"].startswith("https://"))
    assert link.attributes["href"] == plain(link.text) == "https://weights.example/squeezenet1_0.pth"


def test_each_set_has_its_part_with_the_same_sections_and_ids_of_its_own(both: Written) -> None:
    assert [plain(e.text) for e in both.page.all("h2")][:2] == [
        "The robot's proximity sensors, on the tabletop",
        "ImageNet classifiers, in the studio",
    ]
    names = [e.attributes["id"] for e in both.page.elements if "id" in e.attributes]
    assert len(names) == len(set(names))
    for name in ("tabletop", "studio"):
        assert {f"{name}-{s}" for s in SECTIONS} <= set(names)
    assert "studio-taken-for" in names
    assert "tabletop-taken-for" not in names


def test_the_contents_lead_to_the_sections_of_each_part(both: Written) -> None:
    links = [e.attributes["href"] for e in both.page.all("a") if "nav" in e.inside]
    first, second = (links.index(f"#{name}-part") for name in ("tabletop", "studio"))
    assert links[first + 1 : second] == [f"#tabletop-{s}" for s in SECTIONS]
    assert set(links[second + 1 :]) >= {f"#studio-{s}" for s in SECTIONS}
    levels = [int(e.tag[1]) for e in both.page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels)), "a heading level is skipped"


def test_the_model_s_cause_leads_to_its_own_part(both: Written) -> None:
    causes = [
        e.attributes["href"]
        for e in both.page.all("a")
        if "header" in e.inside and "interventions" in e.attributes["href"]
    ]
    assert causes == ["#tabletop-interventions", "#studio-interventions"]


def test_neither_part_speaks_of_the_other_s_networks_factors_or_metrics(both: Written) -> None:
    tabletop, studio = part(both.page, "tabletop"), part(both.page, "studio")
    assert "proximity.safetensors" not in studio
    for said in ("squeezenet1_0", "object_color", "outside_shadow", "top-1", "logit margin", "lemon"):
        assert said not in tabletop, said
        assert said in studio or said == "squeezenet1_0", said
    for said in ("relation=", "cast_shadow=", "missed sensors", "alarm", "dense layers", "ROC-AUC"):
        assert said in tabletop, said
        assert said not in studio, said


def test_each_part_counts_its_own_renders(both: Written) -> None:
    assert "rejected object not visible 1" in part(both.page, "tabletop")
    assert "rejected" not in part(both.page, "studio")


def test_the_words_of_both_tasks_are_explained(both: Written, written: Written) -> None:
    glossary = plain(both.page.by_id("glossary").text)
    for said in ("Miss, false alarm", "logit margin", "Mean over these objects"):
        assert said in glossary
    assert "logit margin" not in plain(written.page.by_id("glossary").text)


def test_with_one_set_there_are_no_parts(written: Written, studio: Written) -> None:
    for done in (written, studio):
        names = {e.attributes["id"] for e in done.page.elements if "id" in e.attributes}
        assert set(SECTIONS) <= names
        assert not any(n.endswith("-part") for n in names)

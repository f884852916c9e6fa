"""A comparison for a build server and a pull request: valid, complete, short, and of one mind with the exit code."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.regression.exports import junit_xml, markdown_summary
from audit.regression.wording import better, gate_sentence, verdict_sentence
from audit.tables import FINDING_STATES, GATES

HOSTILE = "a\"b'</testcase><x>&amp;]]>|`**[click](http://bad.example)**`\x00\x08\x1b\ufffe\n| @everyone #1"
ATTRIBUTES = {  # of the schema that build servers read, junit-10.xsd of the Jenkins xunit plugin
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "assertions", "time", "classname", "status"},
    "failure": {"type", "message"},
    "skipped": {"type", "message"},
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "skipped"},
}


def gate(**values: Any) -> dict[str, Any]:
    plain = {
        "model": "proximity",
        "kind": "overall",
        "metric": "sensor_miss",
        "where": "",
        "is_gate": True,
        "is_required": True,
        "baseline": 0.2,
        "candidate": 0.21,
        "difference": 0.01,
        "ci_low": -0.002,
        "ci_high": 0.02,
        "margin": 0.05,
        "p": 0.9,
        "p_holm": 1.0,
        "p_pass": 0.01,
        "detectable": 0.06,
        "n": 48,
        "verdict": "pass",
        "note": "",
        **dict.fromkeys(("fresh_difference", "fresh_low", "fresh_high", "fresh_p"), np.nan),
        "confirmed": "",
    }
    return {**plain, **values}


WORSE = gate(difference=0.151, ci_low=0.08, ci_high=0.22, candidate=0.351, verdict="regression", confirmed="confirmed")
UNSURE = gate(metric="brier", baseline=0.061, candidate=0.069, difference=0.008, ci_low=0.003, ci_high=0.016) | {
    "verdict": "inconclusive",
    "note": "too wide an interval",
}
PLACE = gate(kind="place", where="centre_left", is_required=False)
MAPS = gate(
    kind="attention", metric="relevance_mass_accuracy", where="hires_cam", is_gate=False, verdict="", margin=np.nan
)


def table(*rows: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(GATES.columns)) if rows else GATES.empty()


def finding(state: str, number: int, sentence: str = "") -> dict[str, Any]:
    known = dict.fromkeys(FINDING_STATES.columns, "") | dict.fromkeys(
        (c for c, kind in FINDING_STATES.columns.items() if kind == "float"), 0.1
    )
    named = {"model": "proximity", "finding_id": f"F-{number:08x}", "state": state}
    return {**known, **named, "sentence": sentence or f"Finding number {number}."}


def states(*rows: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(FINDING_STATES.columns))


def record(verdict: str, exit_code: int, rows: pd.DataFrame, **more: Any) -> dict[str, Any]:
    confirmation = more.pop("confirmation", {"state": "", "reason": "", "seed": 0})
    reason = more.pop("reason", "")
    side = {"experiment": "regression", "scenes": "675f27eea3702b25", "renders": 0}
    sentence = verdict_sentence(verdict, reason, confirmation["state"], confirmation["reason"], rows)
    plain = {
        "comparison_id": "20261128T192946Z-regression",
        "verdict": verdict,
        "exit_code": exit_code,
        "reason": reason,
        "sentence": sentence,
        "improved": [],
        "diagnosis": [],
        "notes": [],
        "baseline": {**side, "run_id": "run-a", "models": {"proximity": {"checkpoint": "a.pt", "sha256": "3ec7" * 16}}},
        "candidate": {
            **side,
            "run_id": "run-b",
            "models": {"proximity": {"checkpoint": "b.pt", "sha256": "39ab" * 16}},
        },
        "shared": [{"scene_set": "tabletop", "baseline": 960, "candidate": 960, "shared": 960}],
        "findings": {"new": 0, "persisting": 0, "fixed": 0, "not covered": 0},
        "confirmation": confirmation,
        "rules": {"confirm": True},
        "again": ["baseline=run-a", "candidate=run-b", "comparison.confirm_seeds=8"],
    }
    return {**plain, **more}


def cases(text: str) -> dict[str, ET.Element]:
    """Name -> test case, of a document that keeps to the schema and counts right."""
    root = ET.fromstring(text.encode())
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    (suite,) = root
    found = list(suite.iter("testcase"))
    for what, tag in (("failures", "failure"), ("skipped", "skipped")):
        assert int(suite.attrib[what]) == sum(case.find(tag) is not None for case in found)
    assert int(suite.attrib["tests"]) == int(root.attrib["tests"]) == len(found)
    assert {e.get("time") for e in root.iter() if "time" in e.attrib} == {"0"}
    named = {f"{case.get('classname')}: {case.get('name')}": case for case in found}
    assert len(named) == len(found), "two test cases of one name"
    return named


def outcome(case: ET.Element) -> str:
    return case[0].tag if len(case) else "passed"


def test_there_is_a_test_case_for_each_gate_and_one_for_the_comparison() -> None:
    rows = table(WORSE, UNSURE, PLACE, MAPS)
    found = cases(junit_xml(record("regression", 3, rows), rows))
    assert {name: outcome(case) for name, case in found.items()} == {
        "comparison: enough is shared to judge": "passed",
        "proximity.overall: missed sensors": "failure",
        "proximity.overall: Brier score": "skipped",
        "proximity.place: missed sensors of centre left": "passed",
    }
    message = found["proximity.overall: missed sensors"][0].get("message")
    assert message == "proximity: missed sensors 20 % -> 35 %, worse by +15 pp [8.0, 22], margin 5.0 pp"


@pytest.mark.parametrize(
    ("verdict", "exit_code", "rows", "fails"),
    [
        ("pass", 0, [gate()], False),
        ("regression", 3, [WORSE], True),
        ("regression", 3, [{**WORSE, "confirmed": "not tried"}], True),
        ("inconclusive", 0, [{**WORSE, "confirmed": "not confirmed"}], False),
        ("inconclusive", 0, [UNSURE], False),
        ("inconclusive", 4, [UNSURE], True),
        ("inconclusive", 4, [{**WORSE, "confirmed": "not tried"}], True),
        ("inconclusive", 0, [], False),
        ("inconclusive", 5, [UNSURE], True),
        ("insufficient coverage", 5, [gate()], True),
    ],
)
def test_the_build_fails_where_the_exit_code_is_not_0_and_there_alone(
    verdict: str, exit_code: int, rows: list[dict[str, Any]], fails: bool
) -> None:
    found = cases(junit_xml(record(verdict, exit_code, table(*rows)), table(*rows)))
    assert any(outcome(case) == "failure" for case in found.values()) is fails


def test_a_comparison_on_few_of_the_scenes_is_told_as_a_skipped_case() -> None:
    shared = [{"scene_set": "tabletop", "baseline": 960, "candidate": 480, "shared": 400}]
    found = cases(junit_xml(record("pass", 0, table(gate()), shared=shared), table(gate())))
    case = found["comparison: enough is shared to judge"]
    assert outcome(case) == "skipped"
    assert "tabletop 400 of 960 cells" in str(case[0].get("message"))


def test_ids_and_digests_travel_as_properties() -> None:
    root = ET.fromstring(junit_xml(record("pass", 0, table(gate())), table(gate())).encode())
    held = {e.attrib["name"]: e.attrib["value"] for e in root.iter("property")}
    assert held["baseline.proximity.sha256"] == "3ec7" * 16
    assert held["candidate.proximity.checkpoint"] == "b.pt"
    assert (held["baseline.run"], held["candidate.run"], held["exit_code"]) == ("run-a", "run-b", "0")


def test_hostile_names_stay_names_and_what_xml_cannot_hold_is_dropped() -> None:
    rows = table({**WORSE, "model": HOSTILE, "where": HOSTILE, "kind": "condition"})
    said = record("regression", 3, rows, comparison_id=HOSTILE, sentence=HOSTILE)
    text = junit_xml(said, rows)
    (name,) = [n for n in cases(text) if "testcase><x>" in n]
    assert "missed sensors under a\"b'</testcase><x>&amp;]]>" in name
    assert not re.search("[\x00\x08\x1b\ufffe]", text)


def test_equal_comparisons_give_equal_bytes() -> None:
    one, other = (
        junit_xml(record("pass", 0, t), t) for t in (table(PLACE, UNSURE, gate()), table(PLACE, UNSURE, gate()))
    )
    assert one == other


def cells(line: str) -> int:
    """Cells of a row of a Markdown table; escaped bars do not part them."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_the_summary_says_verdict_reason_checkpoints_gates_alarms_and_the_way_back() -> None:
    rows = table(WORSE, UNSURE, PLACE, MAPS)
    said = record("regression", 3, rows, confirmation={"state": "confirmed", "reason": "", "seed": 7})
    lines = markdown_summary(said, rows, states()).splitlines()
    assert lines[0] == "## ❌ Regression check: regression"
    assert lines[2] == (
        "1 of 3 gates is worse than the baseline by more than the margin: missed sensors (+15 pp). Confirmed on fresh"
        " scenes."
    )
    assert "| candidate | run-b | b.pt (39ab39ab) |" in lines
    assert "| missed sensors | 20 % | 35 % | +15 pp \\[8.0, 22\\] | 5.0 pp | +6.0 pp | ❌ regression |" in lines
    (brier,) = (line for line in lines if line.startswith("| Brier score"))
    assert brier.startswith("| Brier score | 0.061 | 0.069 | +0.008 \\[0.003, 0.016\\] | 0.050 | +0.060 |")
    assert brier.endswith("| ⚠️ inconclusive, too wide an interval |")
    assert not any("relevance mass" in line or "centre" in line for line in lines)
    command = lines[lines.index("```") + 1]
    assert shlex.split(command)[:4] == ["python", "-m", "audit", "compare"]
    assert shlex.split(command)[4:] == ["baseline=run-a", "candidate=run-b", "comparison.confirm_seeds=8"]


def test_new_findings_come_first_ten_at_most_and_then_how_many_more() -> None:
    found = states(*(finding("persisting", i) for i in range(8)), *(finding("new", i) for i in range(100, 106)))
    said = record("pass", 0, table(gate()), findings={"new": 6, "persisting": 8, "fixed": 0, "not covered": 0})
    lines = markdown_summary(said, table(gate()), found).splitlines()
    listed = [line for line in lines if line.startswith(("- new", "- persisting"))]
    assert [line.split(":")[0] for line in listed] == ["- new"] * 6 + ["- persisting"] * 4
    assert "6 new, 8 persisting, 0 fixed, 0 not covered." in lines
    assert "- and 4 more" in lines


def test_however_much_there_is_to_say_the_summary_stays_short() -> None:
    rows = table(*({**WORSE, "model": f"model {i}"} for i in range(300)))
    found = states(*(finding("new", i) for i in range(300)))
    said = record(
        "regression", 3, rows, notes=[f"note {i}" for i in range(50)], diagnosis=[f"it {i}" for i in range(50)]
    )
    text = markdown_summary(said, rows, found)
    assert len(text.splitlines()) <= 120
    assert text.count("and 260 more in gates.csv") == 1


def test_hostile_names_break_neither_tables_nor_code_and_address_nobody() -> None:
    rows = table({**WORSE, "note": HOSTILE, "model": HOSTILE}, gate())
    said = record("regression", 3, rows, notes=[HOSTILE], diagnosis=[HOSTILE])
    said["candidate"] = {
        **said["candidate"],
        "run_id": "a b```\n# x",
        "models": {HOSTILE: {"checkpoint": HOSTILE, "sha256": ""}},
    }
    said["again"] = ["baseline=run-a", f"candidate={said['candidate']['run_id']}"]
    lines = markdown_summary(said, rows, states(finding("new", 1, HOSTILE))).splitlines()
    for i, line in enumerate(lines):
        if line.startswith("|---"):
            after = [row for row in lines[i - 1 :] if row.startswith("|")][:3]
            assert {cells(row) for row in after} == {cells(line)}
    outside = "\n".join(line for line in lines if "audit compare" not in line and set(line) != {"`"})
    assert not re.search(r"(?<!\\)[`*\[\]]", outside)
    assert not re.search(r"<[a-z/]|@everyone|(?<![\\#\n])#1|[\x1b\ufffe]", outside)
    fences = [line for line in lines if line and set(line) == {"`"}]
    assert len(fences) == 2
    assert len(fences[0]) > 3


@pytest.mark.parametrize(
    ("rows", "verdict", "reason", "sentence"),
    [
        ([gate(note="identical")], "pass", "", "Every answer is the same as the baseline's."),
        (
            [gate(), UNSURE | {"verdict": "pass"}],
            "pass",
            "",
            "All 2 required gates pass: worse than the baseline by less",
        ),
        (
            [UNSURE, gate()],
            "inconclusive",
            "",
            "1 of 2 required gates could not be told: Brier score (too wide an interval).",
        ),
        ([], "inconclusive", "", "No required gate could be compared."),
        ([WORSE], "inconclusive", "an alarm was raised and not confirmed", "An alarm was raised and not confirmed."),
    ],
)
def test_the_verdict_says_why(rows: list[dict[str, Any]], verdict: str, reason: str, sentence: str) -> None:
    assert verdict_sentence(verdict, reason, "", "", table(*rows)).startswith(sentence)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], "Confirmed on fresh scenes."),
        (["not confirmed"] * 11, "Confirmed on fresh scenes; 11 more alarms are refuted."),
        (["undecided"], "Confirmed on fresh scenes; 1 more alarm is undecided."),
        (
            ["not confirmed", "undecided", "undecided"],
            "Confirmed on fresh scenes; 1 more alarm is refuted, 2 more alarms are undecided.",
        ),
    ],
)
def test_of_many_alarms_those_that_fresh_scenes_confirm_are_counted_and_named(others: list[str], told: str) -> None:
    larger = [
        gate(kind="place", where=f"sensor {i}", difference=0.9, verdict="regression", confirmed=state)
        for i, state in enumerate(others)
    ]
    rows = table(*larger, WORSE)
    of = "1 of 1 gate" if not others else f"1 of {len(rows)} gates"
    assert verdict_sentence("regression", "", "confirmed", "", rows) == (
        f"{of} is worse than the baseline by more than the margin: missed sensors (+15 pp). {told}"
    )


def test_alarms_that_fresh_scenes_confirm_are_listed_before_larger_ones_that_they_do_not() -> None:
    rows = table(PLACE | {"difference": 0.9, "verdict": "regression", "confirmed": "not confirmed"}, WORSE)
    said = record("regression", 3, rows, confirmation={"state": "confirmed", "reason": "", "seed": 7})
    listed = [line for line in markdown_summary(said, rows, states()).splitlines() if line.startswith("- proximity")]
    assert [line.rpartition("(")[2] for line in listed] == ["confirmed)", "not confirmed)"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([PLACE | {"note": "improved"}], "1 place or condition"),
        ([gate(note="improved"), *([PLACE | {"note": "improved"}] * 2)], "missed sensors; 2 places or conditions"),
        ([gate(note="improved")] * 5, "missed sensors, missed sensors, missed sensors and 2 more"),
        ([gate(note="worse within the margin")], ""),
    ],
)
def test_what_is_better_is_said_to_be_so_by_its_own_interval_required_gates_by_name(
    rows: list[dict[str, Any]], told: str
) -> None:
    assert better(table(*rows)) == told
    lines = markdown_summary(record("pass", 0, table(*rows)), table(*rows), states()).splitlines()
    assert [line for line in lines if "etter" in line] == (
        [f"Better by its own 95 % interval: {told}."] if told else []
    )
    assert "Improved" not in "".join(lines)


def test_an_inconclusive_gate_says_what_would_have_been_found() -> None:
    said = "proximity: Brier score 0.061 -> 0.069, worse by +0.008 [0.003, 0.016], margin 0.050"
    assert gate_sentence(UNSURE) == f"{said}; a worsening from +0.060 on would have been found"
    assert gate_sentence(UNSURE | {"detectable": np.nan}) == said
    assert gate_sentence(UNSURE | {"verdict": "regression"}) == said


def test_what_fresh_scenes_say_stands_in_the_sentence_and_what_is_undefined_is_no_zero() -> None:
    again = {
        **WORSE,
        "fresh_difference": 0.12,
        "fresh_low": 0.05,
        "fresh_high": 0.2,
        "margin": np.nan,
        "baseline": np.nan,
    }
    assert gate_sentence(again) == (
        "proximity: missed sensors undefined -> 35 %, worse by +15 pp [8.0, 22]; on fresh scenes +12 pp [5.0, 20]"
    )

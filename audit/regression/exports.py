"""A comparison for other programs: JUnit for a build server, Markdown for a pull request. They render the verdict."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import pandas as pd

from audit.analysis.finding_states import STATES
from audit.analysis.gate_measures import KINDS
from audit.analysis.gates import IDENTICAL, INCONCLUSIVE, REGRESSION
from audit.analysis.verdict import UNCOVERED
from audit.regression.confirming import NOT_CONFIRMED
from audit.regression.wording import (
    Row,
    alarms_first,
    better,
    change,
    detectable,
    gate_name,
    gate_sentence,
    margin,
    number,
    several,
)

WELL_SHARED = 0.95  # of the cells of the larger run; below that a build server is told
_MOST = {"gates": 40, "alarms": 12, "findings": 10, "notes": 10, "reasons": 6}  # lines of the Markdown summary
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold at all
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKUP = re.compile(r"([\\`*_\[\]|~$#!])")
_SIGN = {"pass": "✅", REGRESSION: "❌", INCONCLUSIVE: "⚠️", UNCOVERED: "⚠️"}


def junit_xml(record: Mapping[str, Any], table: pd.DataFrame) -> str:
    """JUnit: a test case per gate, and one that says whether enough is shared to judge at all.

    A regression is a failure, unless fresh scenes refute it; an inconclusive gate is skipped. So the build fails
    where the exit code is not 0, and there alone. Equal comparisons give equal bytes: no times are written.
    """
    gating = _in_order(table[table["is_gate"]])
    cases = [_whole(record), *(_case(row) for row in gating)]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": "0",
    }
    of_all = {k: v for k, v in counts.items() if k != "skipped"}  # which the schema has for a suite alone
    suites = ET.Element("testsuites", {"name": "scene-audit compare", **of_all})
    suite = ET.SubElement(suites, "testsuite", {"name": _text(record["comparison_id"]), **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(record):
        ET.SubElement(properties, "property", {"name": _text(name), "value": _text(value)})
    suite.extend(cases)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def markdown_summary(record: Mapping[str, Any], table: pd.DataFrame, states: pd.DataFrame) -> str:
    """Markdown for a pull request or $GITHUB_STEP_SUMMARY: at most about 120 lines, however much there is to say."""
    verdict = str(record["verdict"])
    lines = [f"## {_SIGN.get(verdict, '')} Regression check: {_safe(verdict)}", "", _safe(record["sentence"]), ""]
    lines += ["| | run | checkpoint |", "|---|---|---|"]
    lines += [
        f"| {side} | {_safe(record[side]['run_id'])} | {_safe(_checkpoints(record[side]))} |"
        for side in ("baseline", "candidate")
    ]
    lines += ["", f"Scenes in both: {_safe(_shared(record))}."]
    if named := better(table):
        lines += ["", f"Better by its own 95 % interval: {_safe(named)}."]
    for title, found in (
        ("Required gates", _gate_lines(table)),
        ("Alarms", _alarm_lines(table)),
        ("What would explain it", _listed(record["diagnosis"], "reasons")),
        ("Failure conditions", _finding_lines(record, states)),
        ("What differs beside the weights, and what was not compared", _listed(record["notes"], "notes")),
        ("The same again", _again(record)),
    ):
        if found:
            lines += ["", f"### {title}", "", *found]
    return "\n".join(lines) + "\n"


def _case(row: Row) -> ET.Element:
    case = _testcase(f"{row['model']}.{row['kind']}", gate_name(row))
    if row["verdict"] == REGRESSION and row["confirmed"] != NOT_CONFIRMED:
        _because(case, "failure", gate_sentence(row))
    elif row["verdict"] == REGRESSION:
        _because(case, "skipped", f"an alarm that fresh scenes refute: {gate_sentence(row)}")
    elif row["verdict"] == INCONCLUSIVE:
        _because(case, "skipped", f"{row['note']}: {gate_sentence(row)}")
    return case


def _whole(record: Mapping[str, Any]) -> ET.Element:
    """Whether it could be judged: fails where not being able to costs an exit code."""
    case = _testcase("comparison", "enough is shared to judge")
    little = any(s["shared"] < WELL_SHARED * max(s["baseline"], s["candidate"]) for s in record["shared"])
    told = f"{record['sentence']} Scenes in both: {_shared(record)}."
    if record["verdict"] != REGRESSION and record["exit_code"]:
        _because(case, "failure", told)
    elif record["verdict"] == INCONCLUSIVE or little:
        _because(case, "skipped", told)
    return case


def _testcase(of: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": _text(of), "name": _text(name), "time": "0"})


def _because(case: ET.Element, what: str, message: str) -> None:
    found = ET.SubElement(case, what, {"message": _text(message)})
    if what == "failure":
        found.set("type", REGRESSION)
        found.text = _text(message)


def _properties(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "comparison", str(record["comparison_id"])
    yield "verdict", str(record["verdict"])
    yield "exit_code", str(record["exit_code"])
    yield "confirmation", str(record["confirmation"]["state"] or "not needed")
    for side in ("baseline", "candidate"):
        yield f"{side}.run", str(record[side]["run_id"])
        yield f"{side}.scenes", str(record[side]["scenes"])
        for name, held in record[side]["models"].items():
            yield f"{side}.{name}.checkpoint", str(held["checkpoint"] or "")
            yield f"{side}.{name}.sha256", str(held["sha256"] or "")


def _in_order(table: pd.DataFrame) -> list[Row]:
    """Rows as they are shown: model by model, required gates first."""
    rows: Iterable[Row] = table.to_dict("records")
    return sorted(rows, key=lambda r: (str(r["model"]), KINDS.index(str(r["kind"]))))


def _gate_lines(table: pd.DataFrame) -> list[str]:
    rows = _in_order(table[table["is_gate"] & table["is_required"]])
    if not rows:
        return []
    several_models = len({str(row["model"]) for row in rows}) > 1
    heads = ["gate", "baseline", "candidate", "worse by (95 %)", "margin", "smallest detectable", "verdict"]
    lines = [f"| {' | '.join(heads)} |", "|---|---:|---:|---:|---:|---:|---|"]
    for row in rows[: _MOST["gates"]]:
        metric, note = str(row["metric"]), str(row["note"])
        cells = [
            f"{row['model']}: {gate_name(row)}" if several_models else gate_name(row),
            number(row["baseline"], metric),
            number(row["candidate"], metric),
            "no cell differs" if note == IDENTICAL else change(row),
            margin(row),
            detectable(row),
            f"{_SIGN.get(str(row['verdict']), '')} {row['verdict']}" + (f", {note}" if note else ""),
        ]
        lines.append(f"| {' | '.join(_safe(cell) for cell in cells)} |")
    beyond = len(rows) - _MOST["gates"]
    told = [f"and {beyond} more in gates.csv"] if beyond > 0 else []
    return [*lines, "", *told, "Positive is worse. The other gates can only raise an alarm; all are in gates.csv."]


def _alarm_lines(table: pd.DataFrame) -> list[str]:
    alarmed = table[table["is_gate"] & (table["verdict"] == REGRESSION)]
    rows = alarms_first(alarmed).to_dict("records")
    told = [f"{gate_sentence(row)} ({row['confirmed']})" if row["confirmed"] else gate_sentence(row) for row in rows]
    return _listed(told, "alarms")


def _finding_lines(record: Mapping[str, Any], states: pd.DataFrame) -> list[str]:
    if not len(states):
        return []
    counts = ", ".join(f"{n} {state}" for state, n in record["findings"].items())
    rank = {state: i for i, state in enumerate(STATES)}
    rows = sorted(states.to_dict("records"), key=lambda r: rank.get(str(r["state"]), len(rank)))
    told = [f"{row['state']}: {row['sentence']}" + (f" ({row['reason']})" if row["reason"] else "") for row in rows]
    return [f"{counts}.", "", *_listed(told, "findings")]


def _again(record: Mapping[str, Any]) -> list[str]:
    """The command on the runs, which stay what they are; it renders and asks nothing again but fresh scenes."""
    command = _CONTROL.sub(" ", f"python -m audit compare {shlex.join(record['again'])}")
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", command)), default=0))
    return [fence, command, fence]


def _listed(items: Iterable[Any], what: str) -> list[str]:
    """A list item each, and how many were left out."""
    told = [f"- {_safe(item)}" for item in items]
    most = _MOST[what]
    return [*told[:most], f"- and {len(told) - most} more"] if len(told) > most else told


def _checkpoints(side: Mapping[str, Any]) -> str:
    """'proximity.safetensors (3ec7b52b)' of each model."""
    named = []
    for model, held in side["models"].items():
        file = PurePath(str(held["checkpoint"] or "no file")).name
        own = f"{file} ({held['sha256'][:8]})" if held["sha256"] else file
        named.append(f"{model}: {own}" if len(side["models"]) > 1 else own)
    return ", ".join(named)


def _shared(record: Mapping[str, Any]) -> str:
    whole = [(s["scene_set"], s["shared"], max(s["baseline"], s["candidate"])) for s in record["shared"]]
    return ", ".join(f"{name} {shared} of {several(of, ('cell', 'cells'))}" for name, shared, of in whole) or "none"


def _text(value: object) -> str:
    """What XML can hold of a text; markup is escaped when it is written."""
    return _NOT_XML.sub("", str(value))


def _safe(value: object) -> str:
    """A text that Markdown shows as it is, in a table too: one line, no markup, nobody addressed."""
    plain = _MARKUP.sub(r"\\\1", _CONTROL.sub(" ", _text(value)))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")

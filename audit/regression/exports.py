"""A comparison for other programs: JUnit for a build server, Markdown for a pull request. They render the verdict."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from audit.analysis.gate_measures import Gate


def gate_sentence(row: Mapping[Hashable, Any]) -> str:
    """One gate in words: what, from where to where, by how much, against which margin."""
    name = Gate(str(row["kind"]), str(row["metric"]), str(row["where"])).name
    span = f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
    ends = f"{row['baseline']:.3f} -> {row['candidate']:.3f}"
    told = f"{row['model']}: {name} {ends}, worse by {row['difference']:+.3f} {span}"
    limit = f", margin {row['margin']:g}" if row["margin"] == row["margin"] else ""
    again = row["fresh_difference"]
    return f"{told}{limit}" + (f"; on fresh scenes {again:+.3f}" if again == again else "")


def junit_xml(record: Mapping[str, Any], table: pd.DataFrame) -> str:
    """JUnit: a test case per gate. A regression is a failure, an inconclusive gate is skipped."""
    gating = table[table["is_gate"]]
    suite = ET.Element("testsuite", name=str(record["comparison_id"]), tests=str(len(gating)))
    suite.set("failures", str(int((gating["verdict"] == "regression").sum())))
    suite.set("skipped", str(int((gating["verdict"] == "inconclusive").sum())))
    for row in gating.to_dict("records"):
        gate = Gate(str(row["kind"]), str(row["metric"]), str(row["where"]))
        case = ET.SubElement(suite, "testcase", classname=f"{row['model']}.{row['kind']}", name=gate.name)
        if row["verdict"] == "regression":
            ET.SubElement(case, "failure", message=gate_sentence(row))
        elif row["verdict"] == "inconclusive":
            ET.SubElement(case, "skipped", message=str(row["note"]))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def markdown_summary(record: Mapping[str, Any], table: pd.DataFrame, states: pd.DataFrame) -> str:
    """Markdown for a pull request or $GITHUB_STEP_SUMMARY."""
    lines = [f"## Regression check: {record['verdict']}", ""]
    lines += [str(record["reason"]) + ".", ""] if record["reason"] else []
    lines += [f"- {gate_sentence(row)}" for row in table[table["verdict"] == "regression"].to_dict("records")]
    return "\n".join(lines) + "\n"

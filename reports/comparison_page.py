"""Writes the page of a comparison: the verdict and its gates first, then what changed, then the scenes that show it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from reports import answer_bars, colour_map, comparison_gates, figures, grids, provenance, words
from reports.comparison_examples import MAX_QUESTIONS, GalleryPair, pictured
from reports.comparison_record import SIDES, STATES, ComparisonRecord, read_comparison
from reports.numbers import number
from reports.page import drop_stale, environment
from reports.pictures import Assets
from reports.run_record import RunRecord, without_home
from reports.scene_views import Gallery
from scenes.store import Store

_FILES = {
    "gates.csv": "every gate, with its test",
    "gates.parquet": "the same for machines",
    "finding_states.csv": "failure conditions of both runs",
    "finding_states.parquet": "the same for machines",
    "verdict.json": "the verdict and what it rests on",
    "junit.xml": "a test case per gate, for a build server",
    "summary.md": "for a pull request",
}
_RULES = {
    "alpha": "probability of a regression by chance, over all gates",
    "power": "power of the smallest detectable worsening",
    "min_blocks": "scene seeds a gate needs",
    "confirm": "alarms are tried again on fresh scenes",
    "confirm_seeds": "fresh scene seeds",
    "diagnose": "an alarm is looked into",
}


@dataclass(frozen=True)
class SideSummary:
    """One side as the first screen names it. checkpoints: (model, file, sha256[:8], what its own audit found); page:
    link to its own report."""

    side: str
    run_id: str
    created: str
    checkpoints: tuple[tuple[str, str, str, str], ...]
    page: str


def write_comparison(folder: Path, baseline_folder: Path, candidate_folder: Path, store_root: Path) -> Path:
    """Write `<folder>/report/index.html` and its pictures, and return the page's path.

    folder: a comparison's directory, with gates, finding_states and verdict.json; the others: the runs it compares.
    store_root: the render store; a scene it no longer holds is named in its place. Equal input gives equal bytes.
    Raises scenes.table.TableError on a table of another schema version.
    """
    record = read_comparison(folder, baseline_folder, candidate_folder)
    report = folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    assets = Assets(report / "assets")
    page, partial = report / "index.html", report / "index.html.partial"
    partial.write_text(_html(record, Store(store_root), assets), encoding="utf-8")
    os.replace(partial, page)
    drop_stale(assets)
    return page


def _html(record: ComparisonRecord, store: Store, assets: Assets) -> str:
    galleries: dict[str, GalleryPair] = {}
    for model, pairing in record.pairings.items():
        pair = (Gallery(part, store.read, assets) for part in (pairing.baseline, pairing.candidate))
        galleries[model] = GalleryPair(pairing, *pair)
    shown, beyond = pictured(record, galleries)
    tasks = {p.candidate.task_of(m) for m, p in record.pairings.items()}
    return (
        environment()
        .get_template("comparison.html")
        .render(
            record=record,
            verdict=record.verdict,
            kind=comparison_gates.VERDICTS.get(str(record.verdict["verdict"]), ("none", "icon-none")),
            sides=[_side(record, side) for side in SIDES],
            facts=_facts(record),
            required=comparison_gates.required(record.gates),
            local=comparison_gates.local(record.gates),
            attention=comparison_gates.attention(record.gates),
            better=comparison_gates.better(record.gates),
            stamps=_stamps(galleries),
            groups=comparison_gates.by_state(record.states),
            counts=[(s, int((record.states["state"] == s).sum()), *comparison_gates.STATE_ICONS[s]) for s in STATES],
            pictured=shown,
            beyond=beyond,
            most=MAX_QUESTIONS,
            has_classes=words.CLASSIFICATION in tasks,
            has_proximity=bool(tasks - {words.CLASSIFICATION}),
            horizon=record.candidate.horizon,
            rules=_rules(record.verdict),
            margins=_margins(record.verdict),
            runs=[(s.capitalize(), _run_facts(record.run(s)), _models(record, s)) for s in SIDES],
            files=[(name, what) for name, what in _FILES.items() if (record.folder / name).is_file()],
            commands=_commands(record),
            words=words,
            side_mark=figures.side_mark,
            legend_cell=grids.legend_cell,
            legend_bar=answer_bars.legend_bar,
            grid_states=grids.STATES,
            colour_stops=colour_map.stops(),
        )
    )


def _side(record: ComparisonRecord, side: str) -> SideSummary:
    run, held = record.run(side), record.verdict[side]
    checkpoints = tuple(
        (
            str(model),
            PurePath(str(of["checkpoint"] or "no file")).name,
            str(of["sha256"] or "")[:8],
            str(run.model_verdict(str(model)).get("verdict") or ""),
        )
        for model, of in held["models"].items()
    )
    return SideSummary(side, str(held["run_id"]), str(run.run.get("created") or ""), checkpoints, _page_of(record, run))


def _page_of(record: ComparisonRecord, run: RunRecord) -> str:
    """The run's own page, where it lies in the outputs folder that holds the comparisons; else ''."""
    own, outputs = run.folder / "report" / "index.html", record.folder.resolve().parent.parent
    if run.folder.resolve().parent != outputs or not own.is_file():
        return ""
    return f"../../../{run.folder.name}/report/index.html"


def _facts(record: ComparisonRecord) -> list[tuple[str, str]]:
    """What the first screen says beside the two sides, in sentences."""
    verdict = record.verdict
    facts = []
    for s in verdict["shared"]:
        of = max(s["baseline"], s["candidate"])
        share = f" ({number(s['shared'] / of)})" if of and s["shared"] < of else ""
        facts.append(
            (f"Scenes in both, {words.scene_set(s['scene_set'])[1].lower()}", f"{s['shared']} of {of} cells{share}")
        )
    state, why = str(verdict["confirmation"]["state"]), str(verdict["confirmation"]["reason"])
    seeds = verdict.get("rules", {}).get("confirm_seeds")
    on = f" on {seeds} fresh scene seeds" if seeds and state and state != "not tried" else ""
    text = f"{state}{on}" + (f": {why}" if why else "") if state else "not needed: no alarm"
    facts.append(("Alarms on fresh scenes", without_home(text)))
    gates = verdict["gates"]
    facts.append(("Gates", ", ".join(f"{n} {v}" for v, n in gates.items() if n) or "none"))
    return facts


def _stamps(galleries: Mapping[str, GalleryPair]) -> list[tuple[str, str]]:
    """(whose maps, why they are a picture and no evidence); empty where both earned it."""
    out = []
    for model, pair in galleries.items():
        for side, gallery, name in (
            ("baseline", pair.baseline, pair.pairing.old),
            ("candidate", pair.candidate, model),
        ):
            if stamp := gallery.stamp(name):
                out.append((f"{model}, {side}" if len(galleries) > 1 else side, stamp))
    return out


def _rules(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    held, yes = verdict.get("rules", {}), {"True": "yes", "False": "no", "None": "as many as the design has"}
    rules = [(what, yes.get(str(held[k]), str(held[k]))) for k, what in _RULES.items() if k in held]
    return [*rules, ("exit code of this comparison", str(verdict["exit_code"]))]


def _margins(verdict: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The margins over all scenes, and those of places and conditions."""
    held, out = verdict.get("rules", {}), []
    for key, title in (("margins", "Margins over all scenes"), ("local_margins", "Margins of a place or a condition")):
        rows = [(words.metric(m).title, _margin(m, float(v))) for m, v in held.get(key, {}).items()]
        out += [(title, rows)] if rows else []
    return out


def _margin(metric: str, value: float) -> str:
    known = words.metric(metric)
    return number(value, known.percent, fine=True).replace("%", "pp")


def _run_facts(run: RunRecord) -> Sequence[tuple[str, str]]:
    return provenance.run_facts(run)


def _models(record: ComparisonRecord, side: str) -> list[tuple[str, Sequence[tuple[str, str]]]]:
    """Each model of a side with its checkpoint and how it is fed."""
    run = record.run(side)
    out: list[tuple[str, Sequence[tuple[str, str]]]] = []
    for model in record.verdict[side]["models"]:
        card = provenance.model_card(run, str(model))
        named = [(k, without_home(v)) for k, v in card.facts]
        out.append((str(model), [*named, *card.preprocessing]))
    return out


def _commands(record: ComparisonRecord) -> str:
    return f"python -m audit compare {shlex.join(record.verdict['again'])}"

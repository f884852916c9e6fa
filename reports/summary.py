"""The first screen: the verdict in a sentence, what was tested, and what a reader must know before anything else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from reports import arms, figures, preprocessing, words
from reports.levels import ordered
from reports.numbers import number
from reports.run_record import RunRecord


@dataclass(frozen=True)
class Gate:
    """One metric at the control condition against its floor."""

    title: str
    value: str
    floor: str
    is_met: bool
    gauge: Markup


@dataclass(frozen=True)
class ModelSummary:
    """One audited checkpoint: what it is and what became of it."""

    name: str
    verdict: str
    kind: str
    icon: str
    sentence: str
    cause: str  # what alarms at the control light, or what the object's answer hangs on, from the arms
    cause_title: str
    anchor: str  # what the anchors of its part of the page begin with
    checkpoint: str
    sha256: str
    gates: tuple[Gate, ...]
    ranked: bool
    untested: tuple[tuple[str, str], ...]
    fed_wrongly: str  # that another preprocessing does better; '' where none does


@dataclass(frozen=True)
class Summary:
    title: str
    verdict: str
    kind: str
    icon: str
    created: str
    experiment: str
    run_id: str
    models: tuple[ModelSummary, ...]
    coverage: Mapping[str, Any]
    coverage_share: str
    coverage_of_sets: tuple[tuple[str, str], ...]
    skipped: tuple[Mapping[str, str], ...]


def summarise(record: RunRecord, parts: Mapping[str, tuple[RunRecord, str]]) -> Summary:
    """The first screen of a run. parts: scene set -> its part of the run, and what its anchors begin with."""
    verdict = str(record.verdict.get("verdict") or ("no ground truth" if record.is_pictures else "no verdict"))
    kind, icon = words.VERDICTS.get(verdict, ("none", "icon-none"))
    title = verdict[:1].upper() + verdict[1:]
    if verdict == "no failure found" and any(_is_thin(record, name) for name in record.models):
        (kind, icon), title = words.VERDICTS["insufficient coverage"], f"{title} in what could be tested"
    coverage = record.verdict.get("coverage") or {}
    share = coverage.get("share")
    return Summary(
        title=title,
        verdict=verdict,
        kind=kind,
        icon=icon,
        created=_date(str(record.run.get("created") or "")),
        experiment=str(record.run.get("experiment") or record.config.get("experiment") or ""),
        run_id=str(record.run.get("run_id") or ""),
        models=tuple(_model(*parts.get(record.scene_set_of(name), (record, "")), name) for name in record.models),
        coverage=coverage,
        coverage_share=number(_float(share)) if share is not None else "",
        coverage_of_sets=_of_sets(coverage, record.scene_sets),
        skipped=tuple(_skipped(s) for s in record.run.get("skipped_models") or ()),
    )


def _of_sets(coverage: Mapping[str, Any], order: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(scene set, its usable cells) where there are several."""
    sets = coverage.get("scene_sets") or {}
    found = ((words.scene_set(s)[1], f"{sets[s]['usable']} of {sets[s]['planned']}") for s in ordered(sets, order))
    return tuple(found) if len(sets) > 1 else ()


def _skipped(entry: Mapping[str, Any]) -> Mapping[str, str]:
    """A skipped model; url only where it is one that a browser may follow."""
    url = str(entry.get("url") or "")
    kept = {k: _sentence_of(str(entry.get(k) or "")) for k in ("reason", "remedy")}
    return {"name": str(entry.get("name")), "url": url if url.startswith(("https://", "http://")) else "", **kept}


def _sentence_of(text: str) -> str:
    """A text as a sentence: it ends with a full stop."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _model(record: RunRecord, anchor: str, name: str) -> ModelSummary:
    entry, own = record.model(name), record.model_verdict(name)
    verdict = str(own.get("verdict") or "")
    kind, icon = words.VERDICTS.get(verdict, ("none", "icon-none"))
    gates = tuple(_gate(g) for g in own.get("control") or ())
    return ModelSummary(
        name=name,
        verdict=verdict,
        kind=kind,
        icon=icon,
        sentence=_sentence(record, name, verdict, gates),
        cause=arms.headline(record, name),
        cause_title="What the answer hangs on:" if record.task == words.CLASSIFICATION else "What causes an alarm:",
        anchor=anchor,
        checkpoint=str(entry.get("checkpoint") or "no checkpoint file"),
        sha256=str(entry.get("sha256") or "")[:12],
        gates=gates,
        ranked=bool(own.get("ranked", True)),
        untested=tuple((words.metric(str(k)).title, _plain(str(v))) for k, v in (own.get("untested") or {}).items()),
        fed_wrongly=preprocessing.warning(record, name),
    )


def _gate(entry: Mapping[str, Any]) -> Gate:
    known = words.metric(str(entry["metric"]))
    value, floor = _float(entry.get("value")), _float(entry.get("floor"))
    bound = "at most" if known.lower_is_better else "at least"
    return Gate(
        title=known.title,
        value=number(value, known.percent),
        floor=f"{bound} {number(floor, known.percent)}",
        is_met=bool(entry.get("ok")),
        gauge=figures.gauge(value, floor, known.lower_is_better),
    )


def _is_thin(record: RunRecord, name: str) -> bool:
    """Some metric of the criterion had too few scene seeds to be tested at all."""
    return any("needed" in str(why) for why in (record.model_verdict(name).get("untested") or {}).values())


def _sentence(record: RunRecord, name: str, verdict: str, gates: tuple[Gate, ...]) -> str:
    mine = record.frame("failures")
    mine = mine[mine["model"] == name]
    total, inside = len(mine), int((~mine["expected"].astype(bool)).sum())
    if verdict == "failures found":
        text = f"{name} fails under {_plural(total, 'condition')}"
        if not total or not record.model(name).get("recipe"):
            return f"{text}."
        all_of_it = f", {'inside' if inside else 'outside'} its training recipe."
        return text + (all_of_it if inside in (0, total) else f"; {inside} of them inside its training recipe.")
    if verdict == "no failure found":
        return f"No condition was shown to make {name} worse than at control by more than the criterion's margin."
    if verdict == "unfit at control":
        missed = "; ".join(f"{g.title} {g.value}, where {g.floor} is asked" for g in gates if not g.is_met)
        text = f"{name} is unfit already at the control condition" + (f": {missed}. " if missed else ". ")
        return text + "Findings are shown but not ranked: there is no sound control to compare with."
    if verdict == "insufficient coverage":
        return _uncovered(record, name)
    return ""


def _plain(reason: str) -> str:
    """'not earned: edges does as well' with the null's name as readers know it."""
    prefix = "not earned: "
    return f"{prefix}{words.why_not_earned(reason)}" if reason.startswith(prefix) else reason


def _uncovered(record: RunRecord, name: str) -> str:
    floor = _float(record.criterion.get("min_coverage", math.nan))
    share = _float((record.verdict.get("coverage") or {}).get("share"))
    if share < floor:
        return f"Too few usable scenes to judge {name}: {number(share)} of the planned cells; {number(floor)} is asked."
    return f"Too little was measured to judge {name}: saying that no failure was found would be empty."


def _date(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return created
    return f"{moment.day} {moment:%B %Y, %H:%M}" + (" UTC" if moment.utcoffset() is not None else "")


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _float(value: object) -> float:
    return float("nan") if value is None else float(str(value))

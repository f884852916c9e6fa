"""Comparing two finished runs: the cells they share, gate by gate, and their failure conditions. Asks no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from audit.analysis import gates
from audit.analysis.finding_states import finding_states
from audit.analysis.gate_measures import CONDITION, Gate, gate_measures, with_interventions
from audit.analysis.gates import Compared, Policy
from audit.analysis.layout import Layout
from audit.config import ComparisonConfig
from audit.metrics.effect_specs import EFFECT_SPECS
from audit.regression.kept_run import KeptRun
from audit.schema import ConfigError
from audit.stages import gating
from audit.tables import ATTENTION, EFFECTS, FAILURES, FINDING_STATES, GATES
from scenes.manifest import of_set
from scenes.table import TableError

# (metric, condition) of failure conditions; and the gates that the candidate's answers chose -> out of how many
Failing = tuple[list[tuple[str, str]], dict[Gate, int]]


@dataclass(frozen=True)
class Shared:
    """What two runs have in common of one scene set. baseline, candidate: cells of each, shared: in both and rendered
    the same."""

    scene_set: str
    baseline: int
    candidate: int
    shared: int


@dataclass(frozen=True)
class Comparison:
    """A candidate held against its baseline.

    compared: model -> its gates, judged together. states: FINDING_STATES. shared: per scene set. notes: what differs
    between the runs beside the checkpoints, and what was left out for it, a sentence each. models: model in the
    candidate -> its name in the baseline.
    """

    baseline: KeptRun
    candidate: KeptRun
    compared: Mapping[str, Sequence[Compared]]
    states: pd.DataFrame
    shared: tuple[Shared, ...]
    notes: tuple[str, ...]
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_gates(self) -> list[Compared]:
        return [c for rows in self.compared.values() for c in rows]

    @property
    def alarms(self) -> dict[str, list[Gate]]:
        """Model -> its gates that are a regression."""
        found = {m: [c.gate for c in rows if c.verdict == gates.REGRESSION] for m, rows in self.compared.items()}
        return {model: alarmed for model, alarmed in found.items() if alarmed}

    @property
    def verdict(self) -> str:
        return gates.overall(self.all_gates)


def policy_of(config: ComparisonConfig) -> Policy:
    return Policy(config.margins, config.local_margins, config.alpha, config.power, config.min_blocks)


def compare_runs(
    baseline: KeptRun,
    candidate: KeptRun,
    config: ComparisonConfig,
    only: Mapping[str, Sequence[Gate]] | None = None,
) -> Comparison:
    """Compare the models of two runs that go by one name, on the cells whose pictures are the same.

    only: model -> the gates to judge, all of them without; for a second look on fresh scenes, where nothing is chosen
    any more: conditions are those that are asked for, whether they fail there or not.
    Raises ConfigError where the runs share no model or no cell.
    """
    pairs = _paired_models(baseline, candidate)
    notes = _differences(baseline, candidate, pairs)
    policy, shared, states = policy_of(config), [], []
    rows: dict[str, list[Compared]] = {}
    for scene_set in dict.fromkeys(str(candidate.models[m]["scene_set"]) for m in pairs):
        found, cells = shared_cells(baseline, candidate, scene_set)
        shared.append(found)
        if found.shared < max(found.baseline, found.candidate):
            notes.append(_not_shared(found))
        if not found.shared:
            continue
        layout = gating.layout_of(candidate.config, scene_set, cells)
        for model in (m for m in pairs if candidate.models[m]["scene_set"] == scene_set):
            failing = _failing(baseline, candidate, pairs[model], model) if only is None else _asked_for(only, model)
            rows[model] = _gates_of(baseline, candidate, pairs[model], model, layout, policy, failing, notes)
            sides = ((baseline, pairs[model]), (candidate, model))
            unfit = (baseline.is_unfit(pairs[model]), candidate.is_unfit(model))
            states.append(finding_states(model, *(_tables(r, m) for r, m in sides), unfit=unfit))
    if not rows:
        raise ConfigError(
            f"{baseline.run_id} and {candidate.run_id} share no scene: {' '.join(notes)} Compare runs of one experiment"
            " and seed, or give the checkpoints instead"
        )
    if only is not None:
        rows = {m: [c for c in found if c.gate in only.get(m, ())] for m, found in rows.items()}
    judged = iter(gates.judged([c for found in rows.values() for c in found], policy))
    compared = {model: [next(judged) for _ in found] for model, found in rows.items()}
    filled = [s for s in states if len(s)]
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        compared=compared,
        states=pd.concat(filled, ignore_index=True) if filled else FINDING_STATES.empty(),
        shared=tuple(shared),
        notes=tuple(dict.fromkeys(notes)),
        models=pairs,
    )


def gate_rows(comparison: Comparison) -> pd.DataFrame:
    """GATES; the columns about fresh scenes are empty."""
    rows: list[dict[str, Any]] = []
    for model, compared in comparison.compared.items():
        for c in compared:
            alarmed = c.verdict == gates.REGRESSION
            rows.append(
                {
                    "model": model,
                    "kind": c.gate.kind,
                    "metric": c.gate.metric,
                    "where": c.gate.where,
                    "is_gate": c.is_gate,
                    "is_required": c.is_required,
                    "baseline": c.baseline,
                    "candidate": c.candidate,
                    "difference": c.difference[0],
                    "ci_low": c.difference[1],
                    "ci_high": c.difference[2],
                    "margin": c.margin,
                    "p": c.p,
                    "p_holm": c.p_holm,
                    "p_pass": c.p_pass,
                    "detectable": c.detectable,
                    "n": c.n,
                    "verdict": c.verdict,
                    "note": c.note,
                    **dict.fromkeys(("fresh_difference", "fresh_low", "fresh_high", "fresh_p"), np.nan),
                    "confirmed": "not tried" if alarmed else "",
                }
            )
    return pd.DataFrame(rows, columns=list(GATES.columns)) if rows else GATES.empty()


def paired(baseline: Mapping[str, str], candidate: Mapping[str, str]) -> dict[str, str]:
    """Model of the candidate -> of the baseline, given the task of each: by name; or, where each side has one alone,
    those. Only models of one task, which see one scene set."""
    shared = {model: model for model in candidate if model in baseline}
    if not shared and len(candidate) == len(baseline) == 1:
        shared = dict(zip(candidate, baseline, strict=True))
    return {new: old for new, old in shared.items() if candidate[new] == baseline[old]}


def _paired_models(baseline: KeptRun, candidate: KeptRun) -> dict[str, str]:
    found = paired(*({m: str(e.get("task")) for m, e in run.models.items()} for run in (baseline, candidate)))
    if not found:
        names = (", ".join(r.models) or "none" for r in (baseline, candidate))
        raise ConfigError("the runs share no model of one task: the baseline has {}, the candidate {}".format(*names))
    return found


def _differences(baseline: KeptRun, candidate: KeptRun, pairs: Mapping[str, str]) -> list[str]:
    """What differs between the runs beside the checkpoints."""
    notes = []
    for new, old in pairs.items():
        ours, theirs = candidate.models[new], baseline.models[old]
        if new != old:
            notes.append(f"{new} is compared with {old}, the only model of the baseline.")
        if ours.get("architecture") != theirs.get("architecture"):
            notes.append(f"{new}: architecture {theirs.get('architecture')} became {ours.get('architecture')}.")
        fed, was = ours.get("preprocessing") or {}, theirs.get("preprocessing") or {}
        changed = [f"{k} {was.get(k)} became {fed.get(k)}" for k in fed if fed.get(k) != was.get(k)]
        if changed:
            notes.append(f"{new} is fed otherwise than its baseline: {', '.join(changed)}.")
        if ours.get("threshold") != theirs.get("threshold"):
            was_at, at = (float(entry.get("threshold") or 0.5) for entry in (theirs, ours))
            notes.append(f"{new}: operating threshold {was_at:.3f} became {at:.3f}.")
    for name in (m for m in baseline.models if m not in pairs.values()):
        notes.append(f"{name} is in the baseline alone and was not compared.")
    for name in (m for m in candidate.models if m not in pairs):
        notes.append(f"{name} is in the candidate alone and was not compared.")
    for package in ("torch", "torchvision", "bpy"):
        was_v, is_v = (r.record.get("versions", {}).get(package) for r in (baseline, candidate))
        if was_v != is_v and was_v and is_v:
            notes.append(f"{package} {was_v} became {is_v}.")
    if baseline.record.get("device") != candidate.record.get("device"):
        notes.append(f"device {baseline.record.get('device')} became {candidate.record.get('device')}.")
    return notes


def _not_shared(shared: Shared) -> str:
    return (
        f"{shared.scene_set}: {shared.shared} cells are in both runs and show the same picture, of"
        f" {shared.baseline} in the baseline and {shared.candidate} in the candidate; only those are compared."
    )


def shared_cells(baseline: KeptRun, candidate: KeptRun, scene_set: str) -> tuple[Shared, pd.DataFrame]:
    """The candidate's rows of SCENES that both runs rendered from one scene."""
    ours, theirs = (of_set(r.scenes, scene_set) for r in (candidate, baseline))
    usable = theirs[theirs["status"] == "ok"][["cell_id", "scene_id"]]
    same = ours[ours["status"] == "ok"].merge(usable, on=["cell_id", "scene_id"])
    same.attrs["factors"] = ours.attrs["factors"]
    return Shared(scene_set, len(theirs), len(ours), len(same)), same


def _asked_for(only: Mapping[str, Sequence[Gate]], model: str) -> Failing:
    return [(g.metric, g.where) for g in only.get(model, ()) if g.kind == CONDITION], {}


def _failing(baseline: KeptRun, candidate: KeptRun, old: str, new: str) -> Failing:
    """(metric, condition) of the failure conditions of both runs, interventions included; those of the candidate alone
    were chosen by its answers, out of as many contrasts as were judged."""
    known = _conditions(baseline.table(FAILURES), old)
    chosen = [c for c in _conditions(candidate.table(FAILURES), new) if c not in known]
    effects = candidate.table(EFFECTS)
    judged = effects[(effects["model"] == new) & (effects["test"] != "none")]
    counts = dict.fromkeys(EFFECT_SPECS, judged["contrast"].nunique()) | judged.groupby("metric").size().to_dict()
    contrasts, settled = with_interventions([*known, *chosen]), {c for _, c in known}
    picked = [(m, c) for m, c in contrasts if (m, c) in chosen or (m in EFFECT_SPECS and c not in settled)]
    return contrasts, {Gate(CONDITION, m, c): int(counts.get(m, 1)) for m, c in picked}


def _conditions(failures: pd.DataFrame, model: str) -> list[tuple[str, str]]:
    own = failures[(failures["model"] == model) & (failures["method"] == "-")]
    return [(str(m), str(c)) for m, c in zip(own["metric"], own["condition"], strict=True)]


def _gates_of(
    baseline: KeptRun,
    candidate: KeptRun,
    old: str,
    new: str,
    layout: Layout,
    policy: Policy,
    failing: Failing,
    notes: list[str],
) -> list[Compared]:
    contrasts, chosen_from = failing
    with_maps = not (lacking := [why for run in (baseline, candidate) if (why := _no_maps(run))])
    notes += [f"attention is not compared: {why}." for why in lacking]
    rate = gating.false_alarm_rate(baseline.folder, asked(baseline, old), layout)
    # of a baseline without false alarms one stray answer would set the candidate's threshold
    rate = max(rate, policy.margins.get("sensor_false_alarm", 0.0)) if np.isfinite(rate) else rate
    sides = []
    for run, name in ((baseline, old), (candidate, new)):
        found = gating.answers(run.folder, asked(run, name), layout, rate, with_maps, nan_is_worst=True)
        sides.append(gate_measures(name, found, layout, policy.margins, policy.local_margins, contrasts))
    is_same = _is_same(baseline.models[old], candidate.models[new]) or (
        baseline.models[old].get("threshold") == candidate.models[new].get("threshold")
        and gating.are_alike((baseline.folder, old), (candidate.folder, new), layout)
    )
    return gates.compare(sides[0], sides[1], layout, policy, chosen_from, is_same)


def _is_same(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two entries of run.json are one network, fed and read alike."""
    decides = ("sha256", "architecture", "preprocessing", "threshold")
    return bool(was.get("sha256")) and all(was.get(k) == now.get(k) for k in decides)


def asked(run: KeptRun, model: str) -> gating.Asked:
    entry = run.models[model]
    methods, horizon = run.config.attribution.methods, run.config.robot.horizon
    return gating.Asked(model, str(entry["task"]), float(entry["threshold"]), horizon, methods)


def _no_maps(run: KeptRun) -> str:
    """Why a run's attention cannot be read, or ''."""
    try:
        run.table(ATTENTION)
    except TableError as error:
        return str(error)
    return ""


def _tables(run: KeptRun, model: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """EFFECTS and FAILURES of one model."""
    effects, failures = run.table(EFFECTS), run.table(FAILURES)
    return effects[effects["model"] == model], failures[failures["model"] == model]

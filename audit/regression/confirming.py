"""Confirming: an alarm is tried again on fresh scene seeds, for both checkpoints, before it counts.

The gates that alarmed are judged again, alone, Holm over them. Fresh scenes that show a gate to be within its margin
refute its alarm; that they do not show it again does not. What was picked out of many on the standing scenes is
not picked on the fresh ones; and over a year of nightly runs it is this that keeps false alarms rare.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from audit.analysis import gates
from audit.config import AuditConfig
from audit.models.errors import ModelError
from audit.regression.auditing import Auditor, fresh, placed
from audit.regression.comparing import Comparison, compare_runs
from audit.regression.kept_run import KeptRun
from audit.schema import ConfigError
from scenes.design import DesignError, derive_seed
from scenes.renderer import RenderError

CONFIRMED, NOT_CONFIRMED, UNDECIDED, NOT_TRIED = "confirmed", "not confirmed", "undecided", "not tried"
FOLDER = Path("comparisons", "fresh")  # below the outputs: runs on fresh seeds, apart from the audits


@dataclass(frozen=True)
class Confirmation:
    """What fresh scenes say of the alarms. state: '' without an alarm. comparison: on the fresh scenes, None where it
    was not made; seed: of their designs."""

    state: str = ""
    reason: str = ""
    seed: int = 0
    comparison: Comparison | None = None


def confirm(found: Comparison, config: AuditConfig, auditor: Auditor) -> Confirmation:
    """Try the alarms of a comparison again. Renders the fresh scenes, which are the candidate's own: its digest and the
    configured seed draw them, so that trying again renders nothing."""
    if not found.alarms:
        return Confirmation()
    if not config.comparison.confirm:
        return Confirmation(NOT_TRIED, "comparison.confirm=false")
    digests = sorted(found.candidate.sha256(m) for m in found.compared)
    seed = derive_seed(found.candidate.config.seed, "confirm", *digests) % 2**31
    try:
        pair = [_again(run, list(names), seed, config, auditor) for run, names in _sides(found)]
        second = compare_runs(pair[0], pair[1], config.comparison, only=found.alarms)
    except (ConfigError, DesignError, ModelError, RenderError) as error:
        return Confirmation(NOT_TRIED, str(error), seed)
    return Confirmation(*_said(second, found), seed, second)


def _said(second: Comparison, found: Comparison) -> tuple[str, str]:
    """What fresh scenes say of the alarms: any again, all refuted (shown to be within their margins), or neither. An
    alarm that they do not speak of, for want of an occupied sensor or of a whole scene set, is not refuted."""
    verdicts = {(m, c.gate): c.verdict for m, rows in second.compared.items() for c in rows}
    said = [
        verdicts.get((model, gate), gates.INCONCLUSIVE) for model, alarms in found.alarms.items() for gate in alarms
    ]
    if gates.REGRESSION in said:
        return CONFIRMED, ""
    if set(said) == {gates.PASS}:
        return NOT_CONFIRMED, ""
    blocks = max((c.n for c in second.all_gates), default=0)
    return UNDECIDED, f"{blocks} scene seeds tell neither; more by comparison.confirm_seeds"


def _sides(found: Comparison) -> tuple[tuple[KeptRun, tuple[str, ...]], tuple[KeptRun, tuple[str, ...]]]:
    alarmed = tuple(found.alarms)
    return (found.baseline, tuple(found.models[m] for m in alarmed)), (found.candidate, alarmed)


def _again(run: KeptRun, models: list[str], seed: int, config: AuditConfig, auditor: Auditor) -> KeptRun:
    """The audit of a run's models on fresh scenes. Raises ConfigError where the weights are no longer those."""
    outputs = Path(config.paths.outputs) / FOLDER
    settings = placed(fresh(run.config, seed, config.comparison.confirm_seeds), config.paths, outputs)
    chosen = {m: settings.models[m] for m in models}
    again = auditor.audited(dataclasses.replace(settings, models=chosen))
    for model in models:
        if again.sha256(model) != run.sha256(model):
            raise ConfigError(
                f"{run.run_id}: {model}'s checkpoint {run.config.models[model].checkpoint} is no longer the one that"
                " was audited; put it back, or compare with confirm=false"
            )
    return again

"""Tables: what comparisons, histories and trainings make of several runs."""

from __future__ import annotations

from collections.abc import Mapping

from scenes.table import Table

GATES = Table(  # compare: candidate against baseline, gate by gate; positive differences = the candidate is worse
    name="gates",
    version=1,
    key=("model", "kind", "metric", "where"),
    columns={
        "model": "str",
        # overall, matched (both at equal false alarms), intervention, place, condition: gates. attention: beside them
        "kind": "str",
        "metric": "str",
        "where": "str",
        "is_gate": "bool",  # false for attention, which informs
        "is_required": "bool",  # must pass for the verdict to be pass; the other gates can only raise an alarm
        "baseline": "float",  # mean over blocks
        "candidate": "float",
        "difference": "float",  # positive = worse
        "ci_low": "float",  # 95 %
        "ci_high": "float",
        "margin": "float",
        "p": "float",  # one-sided, of: worse by no more than the margin
        "p_holm": "float",  # over all gates of the comparison
        "p_pass": "float",  # one-sided, of: worse by the margin or more
        "detectable": "float",  # smallest worsening that would be called a regression with the configured power
        "n": "int",  # blocks with a value in both
        "verdict": "str",  # pass, regression, inconclusive; of attention empty
        "note": "str",  # identical, improved, worse within the margin; or why it is inconclusive
        "fresh_difference": "float",  # the same on fresh scene seeds, where an alarm was tried again; else NaN
        "fresh_low": "float",
        "fresh_high": "float",
        "fresh_p": "float",  # after Holm over the alarms
        "confirmed": "str",  # confirmed, not confirmed (refuted), undecided, not tried; empty without an alarm
    },
)

FINDING_STATES = Table(  # compare: failure conditions of both runs
    name="finding_states",
    version=2,
    key=("model", "finding_id", "method"),
    columns={
        "model": "str",
        "finding_id": "str",
        "state": "str",  # new, persisting, fixed, not covered
        "metric": "str",
        "method": "str",  # '-' for task metrics; the id is the same by any
        "condition": "str",
        "baseline_effect": "float",  # against the condition's control, positive = worse; NaN where not judged
        "baseline_low": "float",
        "baseline_high": "float",
        "candidate_effect": "float",
        "candidate_low": "float",
        "candidate_high": "float",
        "sentence": "str",  # the candidate's where it has one, else the baseline's
        "reason": "str",  # of what is not covered: by whom, and why
        "reproduce": "str",
    },
)

_SERIES: Mapping[str, str] = {  # of HISTORY and DEVELOPMENT: a gate of GATE_VALUES at one checkpoint
    "model": "str",
    "kind": "str",
    "metric": "str",
    "where": "str",
    "position": "int",  # 0 = the first checkpoint
    "name": "str",  # what the checkpoint is called: its file, where that tells it from the others; or the epoch
    "run_id": "str",
    "mean": "float",
    "ci_low": "float",
    "ci_high": "float",
    "n": "int",
    "is_lower_better": "bool",
    "is_failure": "bool",
}

# history, and beside the page of a run that is not the first: each gate over the checkpoints that were audited on the
# same scenes with the same settings
HISTORY = Table(
    name="history",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    # checkpoint: its file; created: of the run, which is the newest of this checkpoint
    columns={**_SERIES, "created": "str", "checkpoint": "str", "sha256": "str"},
)

STEPS = Table(  # history: where a gate's level changed for good
    name="steps",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    columns={
        "model": "str",
        "kind": "str",
        "metric": "str",
        "where": "str",
        "position": "int",  # of the first checkpoint after the step
        "before": "float",  # level of the stretch before, weighted by the checkpoints' precision
        "after": "float",
        "size": "float",  # of the step, in standard errors of one checkpoint
        "is_better": "bool",
    },
)

EPOCHS = Table(  # epochs: the checkpoints of one training, in their order
    name="epochs",
    version=1,
    key=("position",),
    columns={
        "position": "int",
        "name": "str",
        "file": "str",
        "sha256": "str",
        "run_id": "str",  # empty where it could not be audited
        "verdict": "str",
        "reason": "str",  # why it could not be audited
    },
)

DEVELOPMENT = Table(  # epochs: each gate over the checkpoints of one training
    name="development",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    # of a condition, against its control, positive = worse; else NaN
    columns={**_SERIES, "effect": "float", "effect_low": "float", "effect_high": "float"},
)

"""What became of each failure condition: new, persisting, fixed, or not covered by one of the runs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from audit.tables import FINDING_STATES

NEW, PERSISTING, FIXED, NOT_COVERED = "new", "persisting", "fixed", "not covered"
STATES = (NEW, PERSISTING, FIXED, NOT_COVERED)  # in the order in which they are shown

Key = tuple[str, str, str]  # metric, method, contrast
Rows = dict[Key, dict[str, Any]]
Tables = tuple[pd.DataFrame, pd.DataFrame]  # EFFECTS and FAILURES of one model


def finding_states(
    model: str, baseline: Tables, candidate: Tables, *, unfit: tuple[bool, bool] = (False, False)
) -> pd.DataFrame:
    """FINDING_STATES of one model. A finding is known by metric, method and condition, whatever the model is called.

    persisting: a failure condition of both. new, fixed: of one alone, while the other judged the contrast and it did
    not fail. not covered: the other did not judge it (no such level, too few usable blocks, method not earned), or is
    unfit at control: what fails there already can hardly get worse under a condition, and is not fixed for that.
    unfit: whether baseline and candidate are.
    """
    (before, was), (after, fails) = (
        (_by_key(e, "contrast"), _by_key(f, "condition")) for e, f in (baseline, candidate)
    )
    rows = []
    for key in dict.fromkeys([*fails, *was]):
        own = fails.get(key) or was[key]
        state, reason = _state(key, key in was, key in fails, before, after, unfit)
        rows.append(
            {
                "model": model,
                "finding_id": own["finding_id"],
                "state": state,
                "metric": key[0],
                "method": key[1],
                "condition": key[2],
                **_effect("baseline", key, before),
                **_effect("candidate", key, after),
                "sentence": own["sentence"],
                "reason": reason,
                "reproduce": own["reproduce"],
            }
        )
    return pd.DataFrame(rows, columns=list(FINDING_STATES.columns))


def _by_key(table: pd.DataFrame, contrast: str) -> Rows:
    records = table.to_dict("records")
    return {(str(r["metric"]), str(r["method"]), str(r[contrast])): {str(k): v for k, v in r.items()} for r in records}


def _state(key: Key, was: bool, fails: bool, before: Rows, after: Rows, unfit: tuple[bool, bool]) -> tuple[str, str]:
    if was and fails:
        return PERSISTING, ""
    other, side, is_unfit = (before, "baseline", unfit[0]) if fails else (after, "candidate", unfit[1])
    if is_unfit:
        return NOT_COVERED, f"the {side} is unfit at control"
    if key not in other:
        by = f" by {key[1]}" if key[1] != "-" else ""
        return NOT_COVERED, f"the {side} has no such contrast{by}"
    if other[key]["test"] == "none":
        return NOT_COVERED, f"not judged in the {side}: {other[key]['reason']}"
    return (NEW if fails else FIXED), ""


def _effect(side: str, key: Key, effects: Rows) -> dict[str, float]:
    names = {"effect": "effect", "low": "ci_low", "high": "ci_high"}
    return {
        f"{side}_{name}": float(effects[key][column]) if key in effects else float("nan")
        for name, column in names.items()
    }

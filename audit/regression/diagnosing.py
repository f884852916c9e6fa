"""Diagnosing: after an alarm, what would explain it.

In the order in which they are said, of each model that alarmed, and last what explains nothing:
- preprocessing: the runs feed it differently. With equal weights there is nothing else to look for.
- feeding: a single change of its preprocessing takes the worsening away (audit.regression.other_feedings).
- place: all places that alarmed, while no other is worse for certain; where none did, since each has few blocks (a
  classifier's objects), those whose interval lies beyond the margin. Where it is no such matter of few places: at how
  many places, and in how many conditions, it is worse; everywhere, where that is more than half of the places for
  certain and three quarters of the conditions in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.analysis import gates
from audit.analysis.gate_measures import OVERALL, PLACE
from audit.analysis.gates import Compared
from audit.analysis.layout import defined_mean
from audit.config import AuditConfig
from audit.regression.auditing import Auditor
from audit.regression.comparing import Comparison
from audit.regression.other_feedings import other_feedings
from audit.regression.wording import change, gate_name, several
from audit.regression.worsening import (
    EVERYWHERE,
    NO_FEEDING,
    NOT_FED,
    PLACES,
    PREPROCESSING,
    SPREAD,
    Explanation,
    Looked,
    by_margin,
    looked_at,
    worse,
)

MOST_PLACES, MOST_CONDITIONS = 1 / 2, 3 / 4


def diagnose(comparison: Comparison, config: AuditConfig, auditor: Auditor) -> tuple[str, ...]:
    """What would explain the alarms, a sentence each; () without an alarm, or with comparison.diagnose=false.

    auditor is not asked: other feedings need answers to scenes that are there, and no audit.
    """
    if not config.comparison.diagnose:
        return ()
    return tuple(e.sentence for e in explanations(comparison, config))


def explanations(comparison: Comparison, config: AuditConfig) -> tuple[Explanation, ...]:
    """The same with what each is about, model by model."""
    found: list[Explanation] = []
    for model in comparison.alarms:
        looked = looked_at(comparison, model, config)
        otherwise = _preprocessing(looked)
        refed = [] if otherwise and looked.is_same_network else other_feedings(looked, config)
        found += sorted([*otherwise, *refed, *_places(looked)], key=lambda e: e.kind in (NO_FEEDING, NOT_FED))
    return tuple(found)


def _preprocessing(looked: Looked) -> list[Explanation]:
    told = [n for n in looked.comparison.notes if n.startswith(f"{looked.model} is fed otherwise than its baseline")]
    same = "; the weights are the same, so it is this that makes the difference" if looked.is_same_network else ""
    return [Explanation(PREPROCESSING, (), told[0].removesuffix(".") + same)] if told else []


def _places(looked: Looked) -> list[Explanation]:
    """Few places, or everywhere."""
    rows = [c for c in looked.rows if c.gate.kind == PLACE]
    every = list(dict.fromkeys(c.gate.where for c in rows))
    alarmed = [w for w in every if any(c.verdict == gates.REGRESSION for c in rows if c.gate.where == w)]
    certain = [w for w in every if any(c.difference[1] > 0 for c in rows if c.gate.where == w)]
    words = ("object", "objects") if looked.layout.objects else ("sensor", "sensors")
    beyond = [w for w in every if any(c.difference[1] > c.margin for c in rows if c.gate.where == w)]
    at_fault = alarmed or beyond
    if at_fault and len(at_fault) < len(every) and set(certain) <= set(at_fault):
        return [_confined(looked, rows, at_fault, words)]
    condition, of = _worse_conditions(looked)
    spread = f"in {condition} of {several(of, ('condition', 'conditions'))}"
    if not every:
        return [Explanation(SPREAD, (), f"{looked.model}: worse {spread}")]
    names = f" ({', '.join(w.replace('_', ' ') for w in certain)})" if 0 < len(certain) < len(every) else ""
    at = f"at {len(certain)} of {several(len(every), words)} for certain{names}"
    is_all = len(certain) > MOST_PLACES * len(every) and condition >= MOST_CONDITIONS * of
    kind, said = (EVERYWHERE, "worse everywhere, no one place:") if is_all else (SPREAD, "worse")
    return [Explanation(kind, tuple(certain), f"{looked.model}: {said} {at}, and {spread}")]


def _confined(looked: Looked, rows: Sequence[Compared], at: list[str], words: tuple[str, str]) -> Explanation:
    worst = [max((c for c in rows if c.gate.where == w), key=by_margin) for w in at]
    others = [c for c in rows if c.gate.where not in at]
    if all(c.is_identical for c in others):
        rest = "the others answer as before"
    elif all(c.verdict == gates.PASS for c in others):
        rest = "the others are within their margins"
    else:
        rest = "of the others none is worse for certain"
    told = ", ".join(f"{gate_name(_row(c))} {change(_row(c))}" for c in worst)
    named = " and ".join(w.replace("_", " ") for w in at)
    is_are = f"{words[0]} {named} is" if len(at) == 1 else f"{words[1]} {named} are"
    return Explanation(PLACES, tuple(at), f"{looked.model}: only {is_are} worse: {told}; {rest}")


def _worse_conditions(looked: Looked) -> tuple[int, int]:
    """In how many conditions the task metric that suffers most is worse in the mean, and of how many."""
    rows = [c for c in looked.rows if c.gate.kind == OVERALL and c.gate in looked.baseline]
    if not rows:
        return 0, 0
    gate = max(rows, key=by_margin).gate
    mean = defined_mean(worse(gate, looked.baseline[gate], looked.candidate[gate]), (0,))
    return int((mean > 0).sum()), int(np.isfinite(mean).sum())


def _row(c: Compared) -> dict[str, object]:
    """What `audit.regression.wording` reads of a row of GATES."""
    mean, low, high = c.difference
    gate = {"kind": c.gate.kind, "metric": c.gate.metric, "where": c.gate.where}
    return {**gate, "difference": mean, "ci_low": low, "ci_high": high}

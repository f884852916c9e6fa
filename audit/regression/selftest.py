"""The self-test: would a comparison notice, on these scenes and with these margins?

Faulty checkpoints are made of the configured model and held against it as `compare` does, without the second look on
fresh scenes. A fault that is too small for the suite is no failure of the tool but of the suite: then the smallest
worsening that would have been found is said.

Swapped channels need scenes where colour tells something. The tabletop draws its colours from all hues alike, so a
scene with red and blue exchanged is as likely as the scene itself, and no network is worse on the whole for it. There
the suite's own conditions are lit by a warm lamp, and rendered for it, once.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from audit.analysis import gates
from audit.analysis.gate_measures import OVERALL, PLACE
from audit.config import AuditConfig
from audit.loading import load_models
from audit.metrics.operating_points import MATCHED_METRIC
from audit.models.adapter import Adapter
from audit.regression import faults
from audit.regression.auditing import Auditor, with_checkpoint
from audit.regression.comparing import Comparison, asked, compare_runs, shared_cells
from audit.regression.confirming import confirm
from audit.regression.diagnosing import explanations
from audit.regression.kept_run import KeptRun
from audit.regression.outcome import Outcome, outcome_of
from audit.regression.wording import difference, gate_name, several
from audit.regression.worsening import EVERYWHERE, FEEDING, PLACES, PREPROCESSING, Explanation
from audit.stages import gating
from audit.stages.refeeding import EVEN_COLOURS

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """One fault. found: what the comparison said. reason: why the fault could not be made; '' where it was."""

    fault: str
    expected: str
    found: str
    is_as_expected: bool
    reason: str = ""

    @property
    def line(self) -> str:
        if self.reason:
            return f"not made  {self.fault}: {self.reason}"
        return f"{'ok' if self.is_as_expected else 'missed':<10}{self.fault}: expected {self.expected}; {self.found}"


@dataclass(frozen=True)
class Bench:
    """Where the faults are tried. config: of the original, its outputs in `folder`. say: what is being done."""

    config: AuditConfig
    model: str
    folder: Path
    say: Say
    kept: dict[str, KeptRun] = field(default_factory=dict)

    @cached_property
    def adapter(self) -> Adapter:
        return load_models(self.config).adapters[self.model]

    @property
    def scene_set(self) -> str:
        return self.adapter.task.scene_set

    def original(self, where: str = "suite") -> KeptRun:
        return self._audited("the original", self.config, where)

    def faulty(self, name: str, state: faults.State, where: str = "suite") -> KeptRun:
        path = self.folder / f"{name}.safetensors"
        checkpoint = faults.save(state, self.adapter, path)
        return self._audited(name, with_checkpoint(self.config, self.model, checkpoint), where)

    def fed_otherwise(self) -> KeptRun:
        own = self.config.models[self.model]
        shifted = dataclasses.replace(own, preprocessing=faults.shifted(own.preprocessing))
        return self._audited("shifted", dataclasses.replace(self.config, models={self.model: shifted}), "suite")

    def noisy(self) -> KeptRun:
        return self.faulty("noise", faults.with_noise(self.adapter))

    def noisy_at_equal_false_alarms(self) -> KeptRun:
        """The noisy checkpoint with a threshold of its own: noise moves answers up or down, and so trades false alarms
        for missed sensors, of which either alone may be an improvement."""
        noisy, original = self.noisy(), self.original()
        layout = gating.layout_of(self.config, self.scene_set, shared_cells(original, noisy, self.scene_set)[1])
        rate = gating.false_alarm_rate(original.folder, asked(original, self.model), layout)
        threshold = gating.matched_threshold(noisy.folder, asked(noisy, self.model), layout, rate)
        if not math.isfinite(threshold):
            return noisy
        own = dataclasses.replace(noisy.config.models[self.model], threshold=threshold)
        config = dataclasses.replace(noisy.config, models={self.model: own}, paths=self.config.paths)
        return self._audited("noise at equal false alarms", config, "suite")

    def compared(self, baseline: KeptRun, candidate: KeptRun) -> tuple[Outcome, tuple[Explanation, ...]]:
        """As the verb `compare` does it."""
        found = compare_runs(baseline, candidate, self.config.comparison)
        because = explanations(found, self.config)
        told = [e.sentence for e in because]
        second = confirm(found, self.config, Auditor())
        return outcome_of(found, second, self.config.comparison, told), because

    def _audited(self, what: str, config: AuditConfig, where: str) -> KeptRun:
        """Every audit once; those of the suite, of the warm lamp, and the second of the same apart from one another."""
        name = f"{what}, {where}"
        if name not in self.kept:
            self.say(f"auditing {name}")
            designs = config.designs
            if where == faults.WARM:
                designs = {**designs, self.scene_set: faults.under_a_warm_lamp(designs[self.scene_set])}
            outputs = dataclasses.replace(config.paths, outputs=str(self.folder / where))
            config = dataclasses.replace(config, paths=outputs, designs=designs)
            self.kept[name] = Auditor().audited(config)
        return self.kept[name]


def self_test(config: AuditConfig, model: str, say: Say) -> Iterator[Result]:
    """Every fault in turn, as it is tried. Raises ModelError, ConfigError where the original cannot be audited."""
    comparison = dataclasses.replace(config.comparison, confirm=False, diagnose=True)
    config = dataclasses.replace(config, comparison=comparison, models={model: config.models[model]})
    with tempfile.TemporaryDirectory(prefix="scene-audit-selftest-") as folder:
        bench = Bench(config, model, Path(folder), say)
        for fault, expected, attempt in FAULTS:
            try:
                found, is_as_expected = attempt(bench)
            except faults.NotMade as error:
                yield Result(fault, expected, "", True, str(error))
            else:
                yield Result(fault, expected, found, is_as_expected)


def _same(bench: Bench) -> tuple[str, bool]:
    outcome, _ = bench.compared(bench.original(), bench.original("again"))
    rows = [c for c in outcome.comparison.all_gates if c.n]
    zero = [c for c in rows if c.is_identical and c.difference[0] == 0.0]
    return f"{outcome.verdict}, {len(zero)} of {len(rows)} differences exactly zero", (
        outcome.verdict == gates.PASS and len(zero) == len(rows)
    )


def _noise(bench: Bench) -> tuple[str, bool]:
    outcome, because = bench.compared(bench.original(), bench.noisy())
    return _judged(outcome, because, [e for e in because if e.kind == EVERYWHERE])


def _channels(bench: Bench) -> tuple[str, bool]:
    where = faults.WARM if bench.scene_set in EVEN_COLOURS else "suite"
    faulty = bench.faulty("channels", faults.with_swapped_channels(bench.adapter), where)
    outcome, because = bench.compared(bench.original(where), faulty)
    named = [e for e in because if e.kind == FEEDING and e.names[0].startswith("channels=")]
    found, is_found = _judged(outcome, because, named)
    return f"under a warm lamp {found}" if where == faults.WARM else found, is_found


def _dead(bench: Bench) -> tuple[str, bool]:
    place, others = _weakest_place(bench)
    faulty = bench.faulty("dead", faults.with_dead_place(bench.adapter, place, others))
    outcome, because = bench.compared(bench.original(), faulty)
    alarmed = {g.where for found in outcome.comparison.alarms.values() for g in found if g.kind == PLACE}
    named = [e for e in because if e.kind == PLACES and e.names == (place,)] if alarmed <= {place} else []
    found, is_found = _judged(outcome, because, named)
    return f"{place} was dead: {found}", is_found


def _normalisation(bench: Bench) -> tuple[str, bool]:
    outcome, because = bench.compared(bench.original(), bench.fed_otherwise())
    return _judged(outcome, because, [e for e in because if e.kind == PREPROCESSING])


def _better(bench: Bench) -> tuple[str, bool]:
    outcome, _ = bench.compared(bench.noisy_at_equal_false_alarms(), bench.original())
    improved = [c for c in outcome.comparison.all_gates if c.is_gate and c.note == gates.IMPROVED]
    named = ", ".join(gate_name(_named(c)) for c in improved[:3]) or "none"
    unsure = [c for c in outcome.comparison.all_gates if c.is_required and c.verdict != gates.PASS]
    why = "".join(f"; {gate_name(_named(c))}: {c.verdict}, {c.note or 'worse'}" for c in unsure[:2])
    return f"{outcome.verdict}, improved: {named}{why}", outcome.verdict == gates.PASS and bool(improved)


FAULTS: tuple[tuple[str, str, Callable[[Bench], tuple[str, bool]]], ...] = (
    ("the same again", "pass, every difference zero", _same),
    (f"noise of {faults.NOISE:g} std on all weights", "a regression everywhere", _noise),
    ("swapped channels", "a regression that names the channels", _channels),
    ("one dead place", "a regression of that place and no other", _dead),
    ("shifted normalisation", "a regression that names the preprocessing", _normalisation),
    ("a better checkpoint", "pass, improved", _better),
)


def _judged(outcome: Outcome, because: tuple[Explanation, ...], named: list[Explanation]) -> tuple[str, bool]:
    """What was found, and whether it was a regression that names the right thing."""
    alarms = sum(len(found) for found in outcome.comparison.alarms.values())
    if outcome.verdict != gates.REGRESSION:
        return f"{outcome.verdict}: {_too_small(outcome.comparison)}", False
    told = [e.sentence for e in (named or because)[:1]]
    return "; ".join([f"regression in {several(alarms, ('gate', 'gates'))}", *told]), bool(named)


def _too_small(comparison: Comparison) -> str:
    """By how much the worst task metric is worse, and from what worsening on it would have been found."""
    rows = [c for c in comparison.all_gates if c.is_gate and c.gate.kind in (OVERALL, PLACE) and c.n]
    if not rows:
        return "nothing was compared"
    worst = max(rows, key=lambda c: c.difference[0] / max(c.margin, 1e-6))
    metric = worst.gate.metric
    return (
        f"{gate_name(_named(worst))} is worse by {difference(worst.difference[0], metric)}, on {worst.n} blocks a"
        f" regression from {difference(worst.detectable, metric)} on"
    )


def _weakest_place(bench: Bench) -> tuple[str, list[str]]:
    """The place that fewest blocks speak of, of equal ones where the network does best; and the others."""
    original = bench.original()
    rows = [c for c in compare_runs(original, original, bench.config.comparison).all_gates if c.gate.kind == PLACE]
    metric = MATCHED_METRIC.get(bench.adapter.task.name, "top1")
    own = [c for c in rows if c.gate.metric == metric and c.n]
    if not own:
        raise faults.NotMade("the suite tells no places apart")
    is_lower = metric in MATCHED_METRIC.values()
    weakest = min(own, key=lambda c: (c.n, c.baseline if is_lower else -c.baseline)).gate.where
    return weakest, [c.gate.where for c in own if c.gate.where != weakest]


def _named(c: gates.Compared) -> dict[str, object]:
    return {"kind": c.gate.kind, "metric": c.gate.metric, "where": c.gate.where}

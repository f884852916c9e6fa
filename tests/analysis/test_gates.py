"""Gates: what raises an alarm, what passes, how often by chance, and what would have been found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic_run import CONTROLS, STRATA, no_attention, prediction_rows, scene_rows

from audit.analysis import gates
from audit.analysis.finding_states import FIXED, NEW, NOT_COVERED, PERSISTING, finding_states
from audit.analysis.gate_measures import (
    CONDITION,
    INTERVENTION,
    MATCHED,
    OVERALL,
    PLACE,
    Answers,
    Gate,
    gate_measures,
    with_interventions,
)
from audit.analysis.gates import IDENTICAL, IMPROVED, INCONCLUSIVE, PASS, REGRESSION, Compared, Policy
from audit.analysis.interventions import interventions_by_block
from audit.analysis.layout import Floats, Layout, lay_out
from audit.analysis.power import detectable
from audit.analysis.significance import exceeds
from audit.metrics.operating_points import threshold_for
from audit.metrics.sensor_events import score as sensor_score
from audit.metrics.sensor_events import sensor_events
from audit.tables import FINDING_STATES

FACTORS = {"light": ("front", "back"), "relation": ("distinct", "equal")}
SENSORS = ("left", "centre", "right")
SHADOWS = {"relation": ("distinct",), "cast_shadow": ("soft", "none")}
BLOCKS, CELLS = 64, 8  # blocks: a rate needs 59 to pass at a margin of .05
DRAWS = 400
MISS, ALARM = "sensor_miss", "sensor_false_alarm"


def policy(margin: float = 0.05, local: float = 0.05, min_blocks: int = 8) -> Policy:
    return Policy({MISS: margin, ALARM: margin}, {MISS: local, ALARM: local}, 0.05, 0.8, min_blocks)


def layout(blocks: int = BLOCKS) -> Layout:
    return lay_out(scene_rows(FACTORS, blocks, arms=False), CONTROLS)


LAYOUT = layout()  # no gate of arrays looks at more of it than which block shows which object


def judged(
    baseline: Mapping[Gate, Floats],
    candidate: Mapping[Gate, Floats],
    rules: Policy,
    chosen_from: Mapping[Gate, int] | None = None,
    is_same_network: bool = False,
    at: Layout = LAYOUT,
) -> dict[Gate, Compared]:
    found = gates.compare(baseline, candidate, at, rules, chosen_from, is_same_network)
    return {c.gate: c for c in gates.judged(found, rules)}


def at_most(chance: float, draws: int = DRAWS) -> float:
    """The share that `draws` of that chance exceed once in a thousand times."""
    return float(stats.binom.ppf(0.999, draws, chance)) / draws


def at_least(chance: float, draws: int = DRAWS) -> float:
    return float(stats.binom.ppf(0.001, draws, chance)) / draws


def pair(rng: np.random.Generator, worse: float = 0.0) -> tuple[Floats, Floats]:
    """Failures (B, n), 0 or 1, of two networks on blocks of unlike difficulty. The second fails more often by `worse`
    in the mean; a block's cells fall together, as scenes of one seed do."""
    difficulty = rng.uniform(0.1, 0.5, size=(BLOCKS, 1))
    leaning = rng.choice([-0.1, 0.1], size=(BLOCKS, 1))
    sides = (difficulty, np.clip(difficulty + leaning + worse, 0.0, 1.0))
    first, second = (rng.random((BLOCKS, CELLS)) < chance for chance in sides)
    return first.astype(float), second.astype(float)


class TestTheSameAgain:
    def test_differences_are_exactly_zero_and_every_gate_is_identical(self) -> None:
        values = {Gate(OVERALL, MISS): pair(np.random.default_rng(0))[0], Gate(PLACE, MISS, "left"): np.eye(BLOCKS)}
        for found in judged(values, values, policy()).values():
            assert (found.difference[0], found.verdict, found.note) == (0.0, PASS, IDENTICAL)

    def test_too_few_blocks_tell_nothing_of_other_weights_but_all_of_the_same(self) -> None:
        few = {Gate(OVERALL, MISS): np.where(np.arange(BLOCKS)[:, None] < 5, 0.25, np.nan)}
        (other,) = judged(few, few, policy()).values()
        (same,) = judged(few, few, policy(), is_same_network=True).values()
        assert (other.verdict, same.verdict) == (INCONCLUSIVE, PASS)


class TestByChanceAlone:
    """Simulated: answers that differ without direction, or at the edge of what is allowed."""

    def gates(self, rng: np.random.Generator, worse: float) -> tuple[dict[Gate, Floats], dict[Gate, Floats]]:
        names = [Gate(OVERALL, MISS), Gate(MATCHED, MISS), Gate(PLACE, MISS, "left")]
        drawn = {name: pair(rng, worse) for name in names}
        return {g: v[0] for g, v in drawn.items()}, {g: v[1] for g, v in drawn.items()}

    def test_a_comparison_alarms_at_most_at_alpha_though_it_has_several_gates(self) -> None:
        """All of them worse by the whole margin, which is not more than it."""
        rng, rules = np.random.default_rng(1), policy(0.05, 0.05)
        verdicts = [gates.overall(judged(*self.gates(rng, 0.05), rules).values()) for _ in range(DRAWS)]
        assert np.mean([v == REGRESSION for v in verdicts]) <= at_most(0.05)

    def test_nor_where_the_candidates_own_answers_pick_a_failure_condition_out_of_many(self) -> None:
        rng, rules, many = np.random.default_rng(2), policy(0.0, 0.0), 12
        alarms, unheld = 0, 0
        for _ in range(DRAWS):
            drawn = [pair(rng) for _ in range(many)]
            worst = max(drawn, key=lambda sides: float(sides[1].mean()))  # looks at the candidate alone
            gate = Gate(CONDITION, MISS, "light=back")
            (held,) = judged({gate: worst[0]}, {gate: worst[1]}, rules, {gate: many}).values()
            alarms, unheld = alarms + (held.verdict == REGRESSION), unheld + (held.p <= rules.alpha)
        assert alarms / DRAWS <= at_most(0.05)
        assert unheld / DRAWS > at_most(0.05)  # or the number it was picked from would be of no use

    def test_what_is_worse_by_the_margin_passes_at_most_at_alpha(self) -> None:
        rng, rules, gate = np.random.default_rng(3), policy(0.05), Gate(OVERALL, MISS)
        passed = 0
        for _ in range(DRAWS):
            first, second = pair(rng, 0.05)
            (found,) = judged({gate: first}, {gate: second}, rules).values()
            passed += found.verdict == PASS
        assert passed / DRAWS <= at_most(0.05)

    def test_split_in_halves_one_network_is_no_worse_than_itself(self) -> None:
        """Real scenes of one run, by their hash in either half: the answers differ, no half is the better network."""
        rng, rules, gate = np.random.default_rng(4), policy(0.0), Gate(OVERALL, MISS)
        answers = pair(rng)[0]
        alarms = 0
        for _ in range(DRAWS):
            half = np.array([rng.permutation(CELLS) for _ in range(BLOCKS)])
            first, second = (np.take_along_axis(answers, half[:, s], axis=1) for s in (slice(0, 4), slice(4, 8)))
            (found,) = judged({gate: first}, {gate: second}, rules).values()
            alarms += found.verdict == REGRESSION
        assert alarms / DRAWS <= at_most(0.05)


class TestFewBlocks:
    """What so few scene seeds cannot show, and are not said to show."""

    @pytest.mark.parametrize(("blocks", "verdict"), [(58, INCONCLUSIVE), (59, PASS)])
    def test_that_no_cell_differs_says_so_much_as_the_margin_from_59_on(self, blocks: int, verdict: str) -> None:
        gate, values = Gate(OVERALL, MISS), np.full((BLOCKS, 2), np.nan)
        values[:blocks] = 0.25
        (found,) = judged({gate: values}, {gate: values.copy()}, policy()).values()
        assert found.verdict == verdict
        if verdict == INCONCLUSIVE:
            assert found.note == "no cell differs; 58 usable blocks, 59 needed to pass at this margin"

    def test_what_is_shown_to_be_better_needs_no_more(self) -> None:
        gate, before = Gate(OVERALL, MISS), np.full((BLOCKS, 2), np.nan)
        before[:12] = 0.5
        after = before - 0.3 - 0.05 * np.arange(BLOCKS)[:, None] % 0.2
        (found,) = judged({gate: before}, {gate: after}, policy()).values()
        assert (found.verdict, found.note) == (PASS, IMPROVED)

    def test_no_worsening_is_called_detectable_where_no_alarm_could_be_raised(self) -> None:
        rng = np.random.default_rng(3)
        few = np.full((BLOCKS, CELLS), np.nan)
        few[:8] = 0.0
        gates_of = {Gate(PLACE, MISS, f"sensor {i}"): few for i in range(40)}
        worst = {gate: few + 1.0 - 0.1 * rng.random(few.shape) for gate in gates_of}
        for found in judged(gates_of, worst, policy()).values():
            assert found.verdict == INCONCLUSIVE
            assert np.isnan(found.detectable)


class TestPlantedWorsening:
    """A run's tables, a worsening at one place or under one level alone."""

    def measures(self, is_missed: Callable[[str, str, int], bool]) -> dict[Gate, Floats]:
        """is_missed: sensor, light, block -> whether it is missed in all relations."""
        scenes = scene_rows(FACTORS, BLOCKS, arms=False)
        at = list(zip(scenes["cell_id"], scenes["light"], scenes["block_id"].astype(int), strict=True))
        places = pd.DataFrame(
            [(c, MISS, s, float(is_missed(s, light, block))) for c, light, block in at for s in SENSORS],
            columns=["cell_id", "metric", "place", "value"],
        )
        whole = prediction_rows(
            scenes, lambda _, v, block: float(np.mean([is_missed(s, v["light"], block) for s in SENSORS])), [MISS]
        )
        said = Answers(whole, places, places.drop(columns="place").head(0), no_attention(), ("hires_cam",))
        rules = policy()
        contrasts = [(MISS, "light=back"), (MISS, "relation=equal")]
        return gate_measures("net", said, LAYOUT, rules.margins, rules.local_margins, contrasts)

    @staticmethod
    def as_before(sensor: str, light: str, block: int) -> bool:
        return (block + len(sensor)) % 4 == 0

    def compared(self, is_missed: Callable[[str, str, int], bool]) -> dict[Gate, Compared]:
        return judged(self.measures(self.as_before), self.measures(is_missed), policy())

    def test_of_one_sensor_is_found_there_and_overall_and_at_no_other(self) -> None:
        found = self.compared(lambda s, light, b: self.as_before(s, light, b) or (s == "right" and b % 4 != 2))
        alarmed = {g for g, c in found.items() if c.verdict == REGRESSION}
        assert {g.where for g in alarmed if g.kind == PLACE} == {"right"}
        assert Gate(OVERALL, MISS) in alarmed
        assert found[Gate(PLACE, MISS, "left")].note == IDENTICAL

    def test_under_one_light_is_found_under_it_by_as_much_as_was_planted(self) -> None:
        found = self.compared(lambda s, light, b: self.as_before(s, light, b) or (light == "back" and b % 4 != 2))
        under = found[Gate(CONDITION, MISS, "light=back")]
        before = np.mean([self.as_before(s, "", b) for s in SENSORS for b in range(BLOCKS)])
        after = np.mean([self.as_before(s, "", b) or b % 4 != 2 for s in SENSORS for b in range(BLOCKS)])
        assert under.verdict == REGRESSION
        assert under.difference[0] == pytest.approx(after - before)
        assert found[Gate(OVERALL, MISS)].difference[0] == pytest.approx((after - before) / 2)
        assert found[Gate(CONDITION, MISS, "relation=equal")].difference[0] == pytest.approx((after - before) / 2)

    def test_the_other_way_round_it_is_an_improvement_and_passes(self) -> None:
        worse = self.measures(lambda s, light, b: self.as_before(s, light, b) or b % 4 != 2)
        found = judged(worse, self.measures(self.as_before), policy())
        assert gates.overall(found.values()) == PASS
        assert found[Gate(OVERALL, MISS)].note == IMPROVED

    def test_of_what_is_better_the_higher_it_is_falling_is_worse(self) -> None:
        gate, rules = Gate(OVERALL, "top1"), Policy({"top1": 0.05}, {}, 0.05, 0.8, 8)
        high, low = np.ones((BLOCKS, 2)), np.tile([0.0, 1.0], (BLOCKS, 1))
        (found,) = judged({gate: high}, {gate: low}, rules).values()
        assert (found.verdict, found.difference[0]) == (REGRESSION, 0.5)

    def test_attention_informs_and_never_alarms(self) -> None:
        gate = Gate("attention", "relevance_mass_accuracy", "hires_cam")
        required = Gate(OVERALL, MISS)
        rows = judged(
            {gate: np.ones((BLOCKS, 2)), required: np.zeros((BLOCKS, 2))},
            {gate: np.zeros((BLOCKS, 2)), required: np.zeros((BLOCKS, 2))},
            policy(),
        )
        assert (rows[gate].verdict, rows[gate].note) == ("", "worse")
        assert gates.overall(rows.values()) == PASS


class TestInterventionsUnderAFailureCondition:
    """What object and shadow cause, planted to differ from light to light and from relation to relation."""

    @staticmethod
    def alarms(metric: str, levels: Mapping[str, str], block: int) -> float:
        back = levels["light"] == "back"
        if levels["presence"] == "object":
            return 1.0 - 0.1 * back - 0.2 * (levels["relation"] == "equal")
        if levels["presence"] == "ghost":
            return 0.5 if back else 0.2
        return 0.1

    @pytest.fixture
    def found(self) -> dict[Gate, Floats]:
        scenes = scene_rows(blocks=BLOCKS)
        nowhere = pd.DataFrame(columns=["cell_id", "metric", "place", "value"]).astype({"value": float})
        rows = prediction_rows(scenes, self.alarms, ["sensor_alarm", "target_alarm", MISS])
        said = Answers(rows, nowhere, nowhere.drop(columns="place"), no_attention(), ("hires_cam",))
        margins = {"object_effect": 0.03, "shadow_alarm": 0.03}
        contrasts = with_interventions(
            (MISS, c)
            for c in ("light=back", "relation=equal", "cast_shadow=none", "light=back & relation=equal", "light=back")
        )
        return gate_measures("net", said, lay_out(scenes, CONTROLS), margins, margins, contrasts)

    @pytest.mark.parametrize(
        ("gate", "expected"),
        [
            (Gate(INTERVENTION, "object_effect"), 0.7 - 0.2 / 3),
            (Gate(INTERVENTION, "shadow_alarm"), 0.275),
            (Gate(CONDITION, "object_effect", "light=back"), 0.4 - 0.2 / 3),
            (Gate(CONDITION, "shadow_alarm", "light=back"), 0.5),
            (Gate(CONDITION, "object_effect", "relation=equal"), 0.5),
            (Gate(CONDITION, "object_effect", "light=back & relation=equal"), 0.2),
        ],
    )
    def test_each_is_of_the_cells_of_that_condition_alone(
        self, found: dict[Gate, Floats], gate: Gate, expected: float
    ) -> None:
        values = found[gate][:, 0]
        sees = np.array([STRATA[b % len(STRATA)] == "near" for b in range(BLOCKS)])
        assert np.isnan(values[~sees]).all()
        assert values[sees] == pytest.approx(expected)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_taking_false_alarms_away_makes_neither_worse(self, seed: int) -> None:
        rng, scenes = (
            np.random.default_rng(seed),
            scene_rows({**SHADOWS, "light": ("front", "back")}, 4, strata=("near",)),
        )
        layout = lay_out(scenes, CONTROLS)
        target = np.zeros((len(scenes), 31, 5), bool)
        target[:, 5:9, :2] = True
        label = np.where((scenes["presence"] == "object").to_numpy()[:, None, None] & target, 1, 0)
        before = rng.random(label.shape)
        is_gone = (label == 0) & (rng.random(label.shape) < rng.choice([0.1, 0.9]))
        found = []
        for p in (before, np.where(is_gone, 0.0, before)):
            flat = [a.reshape(len(scenes), -1) for a in (p, label, target)]
            scores = sensor_score(flat[0], flat[1], 0.5, target=flat[2])
            grid = {m: np.full(layout.shape, np.nan) for m in ("sensor_alarm", "target_alarm")}
            for metric, values in grid.items():
                values.flat[layout.cells["position"].to_numpy()] = scores[metric].to_numpy()
            found.append(interventions_by_block(grid, layout))
        assert set(found[0]) == {"object_effect", "shadow_alarm"}
        assert (found[1]["object_effect"] >= found[0]["object_effect"] - 1e-12).all()
        assert (found[1]["shadow_alarm"] <= found[0]["shadow_alarm"] + 1e-12).all()

    def test_there_is_none_where_the_effect_does_not_depend_on_the_condition_or_nothing_casts_a_shadow(
        self, found: dict[Gate, Floats]
    ) -> None:
        of_shadow = {g.where for g in found if g.kind == CONDITION and g.metric == "shadow_alarm"}
        assert of_shadow == {"light=back"}
        assert not [g for g in found if g.where == "cast_shadow=none"]


class TestWhatWouldHaveBeenFound:
    def test_a_worsening_of_that_size_is_found_with_the_power_that_is_said(self) -> None:
        rng, spread, n, margin = np.random.default_rng(5), 0.1, 20, 0.02
        true = detectable(margin, spread / np.sqrt(n), n, 0.05, 0.8)
        found = [exceeds(rng.normal(true, spread, n), margin).p <= 0.05 for _ in range(DRAWS)]
        assert at_least(0.8) <= np.mean(found) <= at_most(0.8)

    def test_a_worsening_of_the_margin_is_found_no_oftener_than_alpha(self) -> None:
        rng = np.random.default_rng(6)
        found = [exceeds(rng.normal(0.02, 0.1, 20), 0.02).p <= 0.05 for _ in range(DRAWS)]
        assert np.mean(found) <= at_most(0.05)

    def test_it_is_that_of_the_strictest_step_of_holm_and_of_the_number_it_was_picked_from(self) -> None:
        rng, picked = np.random.default_rng(7), Gate(CONDITION, MISS, "light=back")
        drawn = {g: pair(rng) for g in (Gate(OVERALL, MISS), Gate(OVERALL, ALARM), picked)}
        sides = [{g: v[i] for g, v in drawn.items()} for i in (0, 1)]
        found = judged(sides[0], sides[1], policy(), {picked: 9})
        for gate, c in found.items():
            alpha = 0.05 / 3 / (9 if gate == picked else 1)
            assert c.detectable == pytest.approx(detectable(0.05, c.spread, BLOCKS, alpha, 0.8))

    def test_more_blocks_find_less(self) -> None:
        few, many = (detectable(0.02, 0.1 / np.sqrt(n), n, 0.05, 0.8) for n in (12, 48))
        assert 0.02 < many < few


class TestEqualFalseAlarms:
    """The threshold at which a network gives false alarms at a given rate."""

    @staticmethod
    def drawn(seed: int, scenes: int) -> tuple[Floats, np.ndarray]:
        rng = np.random.default_rng(seed)
        label = rng.choice([-1, 0, 1], p=[0.1, 0.8, 0.1], size=(scenes, 155))
        label[:, rng.integers(0, 5) :: 5] = 0
        return np.round(rng.random((scenes, 155)) ** 4, 1), label.astype(np.int8)  # many ties

    @staticmethod
    def literal(probability: Floats, label: np.ndarray, rate: float) -> float:
        """The lowest of all thresholds that matter, tried one after the other from below."""
        tried = [0.0, *(np.nextafter(p, np.inf) for p in sorted(set(probability.ravel().tolist())))]
        for threshold in tried:
            events = sensor_events(probability, label, threshold, 15)
            if events.false_alarm.sum() <= rate * events.clear.sum() + 1e-9:
                return float(threshold)
        raise AssertionError("above the highest answer nothing alarms")

    @settings(max_examples=60, deadline=None)
    @given(seed=st.integers(0, 10**6), scenes=st.integers(1, 6), rate=st.floats(0.0, 1.0))
    def test_is_what_a_slow_search_over_all_thresholds_finds(self, seed: int, scenes: int, rate: float) -> None:
        probability, label = self.drawn(seed, scenes)
        assert threshold_for(probability, label, rate, 15) == self.literal(probability, label, rate)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10**6), rate=st.floats(0.0, 1.0))
    def test_gives_no_more_false_alarms_than_asked_for(self, seed: int, rate: float) -> None:
        probability, label = self.drawn(seed, 4)
        events = sensor_events(probability, label, threshold_for(probability, label, rate, 15), 15)
        assert events.false_alarm.sum() <= rate * events.clear.sum() + 1e-9


class TestStatesOfFindings:
    def tables(
        self, fails: bool, test: str = "t", contrast: str = "light=back", method: str = "-"
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        effect = {"metric": MISS, "method": method, "contrast": contrast, "test": test, "reason": "2 usable blocks"}
        effect |= {"effect": 0.2, "ci_low": 0.1, "ci_high": 0.3}
        failure = {"metric": MISS, "method": method, "condition": contrast, "finding_id": f"F-{contrast}"}
        failure |= {"sentence": "it fails", "reproduce": "run"}
        return pd.DataFrame([effect]), pd.DataFrame([failure]).head(int(fails))

    @pytest.mark.parametrize(
        ("was", "now", "state"),
        [(True, True, PERSISTING), (False, True, NEW), (True, False, FIXED)],
    )
    def test_what_both_judged_is_new_persisting_or_fixed(self, was: bool, now: bool, state: str) -> None:
        (row,) = finding_states("net", self.tables(was), self.tables(now)).to_dict("records")
        assert (row["state"], row["reason"], row["baseline_effect"]) == (state, "", 0.2)

    def test_what_failed_in_neither_has_no_state(self) -> None:
        assert finding_states("net", self.tables(False), self.tables(False)).empty

    def test_what_the_other_could_not_judge_is_not_covered_and_says_why(self) -> None:
        (row,) = finding_states("net", self.tables(True), self.tables(False, test="none")).to_dict("records")
        assert (row["state"], row["reason"]) == (NOT_COVERED, "not judged in the candidate: 2 usable blocks")

    def test_what_the_other_has_no_scenes_of_is_not_covered(self) -> None:
        other = self.tables(False, contrast="light=left")
        (row,) = finding_states("net", other, self.tables(True)).to_dict("records")
        assert (row["state"], row["reason"]) == (NOT_COVERED, "the baseline has no such contrast")
        assert np.isnan(row["baseline_effect"])

    @pytest.mark.parametrize(
        ("was", "unfit", "state", "reason"),
        [
            (True, (False, True), NOT_COVERED, "the candidate is unfit at control"),
            (False, (True, False), NOT_COVERED, "the baseline is unfit at control"),
            (True, (True, False), FIXED, ""),
            (False, (False, True), NEW, ""),
        ],
    )
    def test_nothing_is_fixed_by_a_side_that_is_unfit_at_control_and_nothing_new_against_one(
        self, was: bool, unfit: tuple[bool, bool], state: str, reason: str
    ) -> None:
        (row,) = finding_states("net", self.tables(was), self.tables(not was), unfit=unfit).to_dict("records")
        assert (row["state"], row["reason"]) == (state, reason)

    def test_what_fails_in_both_persists_whichever_is_unfit(self) -> None:
        (row,) = finding_states("net", self.tables(True), self.tables(True), unfit=(True, True)).to_dict("records")
        assert row["state"] == PERSISTING

    def test_by_two_methods_it_is_two_rows_of_one_id_each_not_covered_by_the_others_method(
        self, tmp_path: Path
    ) -> None:
        sides = (self.tables(True, method=method) for method in ("hires_cam", "grad_cam"))
        found = finding_states("net", *sides)
        FINDING_STATES.write(found, tmp_path)  # refuses two rows of one key
        assert found["finding_id"].nunique() == 1
        assert found.set_index("method")["reason"].to_dict() == {
            "hires_cam": "the candidate has no such contrast by hires_cam",
            "grad_cam": "the baseline has no such contrast by grad_cam",
        }

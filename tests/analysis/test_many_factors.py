"""Designs of many factors: few of all combinations of levels, analysed as if all of them were laid out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from synthetic_run import STRATA, Run, Score, control_auc, jitter, prediction_rows

from audit.analysis import Analysis, ModelFacts, Sampled
from audit.analysis.contrasts import Contrast, contrasts, paired
from audit.analysis.layout import Floats, Layout, lay_out
from audit.analysis.measurement import measured
from scenes.design import Design
from scenes.manifest import SCENES

# light: back is contrasted with left; hue: no control, so its levels are contrasted with the mean over them
LEVELS = {"gloss": ("matt", "shiny"), "hue": ("red", "blue", "grey"), "light": ("front", "back", "left"), "yaw": "012"}
HELD = {"gloss": "matt", "light": "front", "yaw": "0"}
PARTNERS = {"light": {"back": "left"}}
BLOCKS = 5
Cell = tuple[str, ...]


def every_cell() -> list[Cell]:
    return list(itertools.product(*LEVELS.values()))


def some_cells() -> list[Cell]:
    return [cell for cell in every_cell() if jitter("planned", cell) < 0.1]


def one_at_a_time() -> list[Cell]:
    first = dict(zip(LEVELS, every_cell()[0], strict=True))
    around = [{**first, f: level} for f, levels in LEVELS.items() for level in levels]
    return list(dict.fromkeys(tuple(levels.values()) for levels in around))


def values_of(cells: Sequence[Cell]) -> dict[tuple[int, Cell], float]:
    """A value in most blocks and cells; one block has hardly any."""
    every = {(b, cell): jitter("value", b, cell) for b in range(BLOCKS) for cell in cells}
    return {k: v for k, v in every.items() if jitter("shown", *k) < (0.35 if k[0] else -0.3)}


def laid_out(cells: Sequence[Cell]) -> Layout:
    rows = [dict(zip(LEVELS, cell, strict=True), block_id=str(b)) for b in range(BLOCKS) for cell in cells]
    scenes = pd.DataFrame(rows).assign(status="ok", stratum="near")
    return lay_out(scenes.assign(cell_id=range(len(rows)), scene_id=range(len(rows))), HELD, PARTNERS)


def on_layout(values: Mapping[tuple[int, Cell], float], layout: Layout) -> Floats:
    """(B, C)"""
    names = [tuple(layout.levels[f][c] for f, c in zip(LEVELS, code, strict=True)) for code in layout.codes]
    return np.array([[values.get((b, name), np.nan) for name in names] for b in range(BLOCKS)])


def mean(found: Sequence[float]) -> float:
    defined = [v for v in found if np.isfinite(v)]
    return sum(defined) / len(defined) if defined else float("nan")


class Literal:
    """The definition, word by word, over every combination of the levels of the other factors."""

    def __init__(self, values: Mapping[tuple[int, Cell], float]) -> None:
        self.values = values

    def at(self, block: int, levels: Mapping[str, str | None]) -> float:
        """Y; None: the mean over the levels of that factor."""
        free = next((f for f in LEVELS if levels[f] is None), None)
        if free is not None:
            return mean([self.at(block, {**levels, free: level}) for level in LEVELS[free]])
        return self.values.get((block, tuple(str(levels[f]) for f in LEVELS)), float("nan"))

    def others(self, contrast: Contrast) -> list[dict[str, str | None]]:
        free = [f for f in LEVELS if f not in dict(contrast.levels)]
        return [dict(zip(free, u, strict=True)) for u in itertools.product(*(LEVELS[f] for f in free))]

    def averaged(self, of_cells: Sequence[Sequence[float]]) -> Floats:
        """(B,) means over the cells u, of the blocks that have at least half as many as that with most."""
        counts = [int(np.isfinite(of_block).sum()) for of_block in of_cells]
        enough = [2 * n >= max(counts) for n in counts]
        return np.array([mean(v) if ok else np.nan for v, ok in zip(of_cells, enough, strict=True)])

    def paired(self, contrast: Contrast) -> dict[str, Floats]:
        """The fields of `Paired` but the last, by name."""
        with_it = dict(contrast.levels)
        without: dict[str, str | None] = {f: PARTNERS.get(f, {}).get(v, HELD.get(f)) for f, v in with_it.items()}
        u, at_control = self.others(contrast), {f: HELD.get(f) for f in LEVELS if f not in with_it}
        sides = [[(self.at(b, {**o, **with_it}), self.at(b, {**o, **without})) for o in u] for b in range(BLOCKS)]
        both = [[(a, c) if np.isfinite(a - c) else (np.nan, np.nan) for a, c in of_block] for of_block in sides]
        simple = [self.at(b, {**at_control, **with_it}) - self.at(b, {**at_control, **without}) for b in range(BLOCKS)]
        return {
            "difference": self.averaged([[a - c for a, c in of_block] for of_block in both]),
            "level": self.averaged([[a for a, _ in of_block] for of_block in both]),
            "control": self.averaged([[c for _, c in of_block] for of_block in both]),
            "simple": np.array(simple),
            "excess": self.excess(contrast, without, u),
        }

    def excess(
        self, contrast: Contrast, without: Mapping[str, str | None], u: Sequence[Mapping[str, str | None]]
    ) -> Floats:
        if contrast.order < 2:
            return np.full(BLOCKS, np.nan)
        (a, with_a), (b, with_b) = contrast.levels
        corners = [(1, with_a, with_b), (-1, with_a, without[b]), (-1, without[a], with_b), (1, without[a], without[b])]
        return self.averaged(
            [[sum(sign * self.at(s, {**o, a: x, b: y}) for sign, x, y in corners) for o in u] for s in range(BLOCKS)]
        )


def conceivable() -> list[Contrast]:
    """Every level that is not the control, and every pair of them."""
    levels = {f: [(f, v) for v in names if v != HELD.get(f)] for f, names in sorted(LEVELS.items())}
    pairs = [p for a, b in itertools.combinations(levels.values(), 2) for p in itertools.product(a, b)]
    return [Contrast((level,)) for found in levels.values() for level in found] + [Contrast(pair) for pair in pairs]


@pytest.mark.parametrize("cells", [every_cell(), some_cells(), one_at_a_time()], ids=["full", "some", "one at a time"])
def test_every_contrast_is_that_of_the_definition_taken_over_all_combinations(cells: Sequence[Cell]):
    values, layout = values_of(cells), laid_out(cells)
    grid, literal, asked = on_layout(values, layout), Literal(values), contrasts(layout)
    assert set(asked) <= set(conceivable())
    for contrast in conceivable():
        expected = literal.paired(contrast)
        if contrast not in asked:
            assert np.isnan(expected["difference"]).all(), f"{contrast.name} is left out"
            continue
        found = paired(grid, layout, contrast)
        for name, numbers in expected.items():
            np.testing.assert_allclose(getattr(found, name), numbers, atol=1e-12, err_msg=f"{contrast.name} {name}")


def test_what_the_definition_is_compared_on_leaves_out_ever_more_cells():
    pair = Contrast((("hue", "blue"), ("light", "back")))
    designs = (every_cell(), some_cells(), one_at_a_time())
    usable = [int(np.isfinite(Literal(values_of(c)).paired(pair)["difference"]).sum()) for c in designs]
    assert len(designs[0]) > len(designs[1]) > len(designs[2])
    assert BLOCKS > usable[0] >= usable[1] > usable[2] == 0


# fifteen factors of four levels: 4^15 combinations, of which no computer holds a number each
NAMES = ("cast_shadow", "light", "relation", *(f"factor_{i}" for i in range(12)))
FIFTEEN = dict.fromkeys(NAMES, ("a", "b", "c", "d"))
CONTROL = {"presence": "object", **dict.fromkeys(NAMES, "a")}


def run_of(design: Design, score: Score) -> Run:
    """The run of a design in which the network's scores are what `score` says, alarms and target among them."""
    fixed = {c: 0.5 for c, kind in SCENES.columns.items() if kind == "float"}
    fixed |= {"scene_set": "tabletop", "status": "ok", "reason": "", "shape": "box", "values": ""}
    rows = []
    for cell in design.cells():
        name, drawn = cell.cell_id(design.name), STRATA[cell.number % len(STRATA)]
        own = {"cell_id": name, "scene_id": f"s{name}", "block_id": cell.block, "stratum": drawn}
        rows.append({**dict(cell.condition.levels), **fixed, **own})
    scenes = pd.DataFrame(rows)[["cell_id", *design.factor_names, *list(SCENES.columns)[1:]]]
    return Run(
        scenes,
        prediction_rows(scenes, score, ("sensor_miss", "target_logit")),
        auc=control_auc(scenes),
        models={"net": ModelFacts({}, 0.4)},
        controls=design.control,
        sampled=Sampled(design.references, design.apart) if design.is_sampled else None,
    )


def loses_sight_at(level: tuple[str, str]) -> Score:
    """A network that is blind at one level, and whose target is 3 higher for a shadow and 4 more for an object."""
    factor, name = level

    def score(metric: str, levels: Mapping[str, str], block: int) -> float:
        if metric == "target_logit":
            return {"empty": 0.0, "ghost": 3.0, "object": 7.0}[levels["presence"]] + 0.1 * jitter(block, metric)
        return 0.1 + 0.5 * (levels[factor] == name) + 0.05 * jitter(metric, block, tuple(levels.items()))

    return score


@pytest.fixture(scope="module")
def run() -> Run:
    design = Design("fifteen", FIFTEEN, CONTROL, blocks=16, crossing="one_at_a_time")
    return run_of(design, loses_sight_at(("factor_7", "c")))


@pytest.fixture(scope="module")
def analysis(run: Run) -> Analysis:
    return run.analysed()


def test_a_measure_has_a_number_per_block_and_condition_of_the_design_and_no_more(run: Run):
    layout = lay_out(run.scenes, run.controls)
    assert layout.shape == (16, 1 + 15 * 3 + 2)
    assert {grid.values.shape for grid in measured(run.predictions, run.attention, layout).values()} == {layout.shape}


def test_of_fifteen_factors_the_level_that_fails_is_found_and_no_other(analysis: Analysis):
    assert list(analysis.failures["condition"]) == ["factor_7=c"]
    assert analysis.failures["effect"].iloc[0] == pytest.approx(0.5, abs=0.02)


def test_there_is_an_effect_of_every_level_and_none_of_pairs_that_nobody_saw(analysis: Analysis):
    expected = {f"{factor}={level}" for factor, levels in FIFTEEN.items() for level in levels[1:]}
    found = analysis.effects
    assert set(found["contrast"]) == expected
    assert (found["usable_n"] == 16).all()
    assert found["simple_effect"].to_numpy() == pytest.approx(found["effect"].to_numpy())  # the others are at control


def test_conditions_are_those_of_the_design(run: Run, analysis: Analysis):
    factors = ["presence", *NAMES]
    own = analysis.conditions[analysis.conditions["metric"] == "sensor_miss"]
    planned = run.scenes[factors].drop_duplicates()
    assert len(own) == len(planned) == 48
    assert set(own[factors].itertuples(index=False)) == set(planned.itertuples(index=False))
    assert (own["n"] == 16).all()


def test_arms_at_control_tell_of_the_scenes_that_differ_from_them_in_nothing_else(analysis: Analysis):
    found = analysis.interventions
    assert set(found["light"]) == {"a", "all"}
    for effect, expected in (("removal_object", 4.0), ("shadow", 3.0)):
        own = found[found["effect"] == effect]
        has_ghost = own["cast_shadow"].isin(["a", "all"])  # a ghost has no relation, and stands beside all of them
        assert own["mean"][has_ghost].to_numpy() == pytest.approx(expected, abs=0.05)
        assert own["mean"][~has_ghost].isna().all()


def test_of_ten_sampled_factors_the_level_that_fails_is_found():
    ten = {name: FIFTEEN[name] for name in NAMES[3:13]}
    control = {"presence": "object", **dict.fromkeys(ten, "a")}
    design = Design("ten", ten, control, blocks=12, crossing="sobol", points=128, arms=False)
    found = run_of(design, loses_sight_at(("factor_7", "c"))).analysed()
    assert found.failures["condition"].iloc[0] == "factor_7=c"
    assert found.failures["condition"].str.contains("factor_7=c").all()
    assert len(found.effects) == 10 * 3 + 45 * 9

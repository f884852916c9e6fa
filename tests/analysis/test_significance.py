"""Tests of a mean paired difference against a margin: what they find, and what they must not find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audit.analysis.significance import binary_p, exceeds, false_discovery, sign_flip_p


def test_sign_flip_counts_every_flip_as_the_slow_literal_form_does():
    d = np.array([0.3, -0.1, 0.25, 0.0, 0.4, 0.3, -0.05, 0.2, 0.1])
    flips = np.array(list(itertools.product([1, -1], repeat=len(d))))
    assert sign_flip_p(d) == np.mean((flips * d).sum(axis=1) >= d.sum() - 1e-12)


def test_sign_flip_agrees_with_scipys_permutation_test():
    d = np.random.default_rng(0).normal(0.2, 0.5, size=12)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", alternative="greater", n_resamples=5000)
    assert sign_flip_p(d) == pytest.approx(theirs.pvalue)


def test_drawn_flips_of_many_blocks_come_close_to_t():
    d = np.random.default_rng(1).normal(0.15, 0.6, size=48)
    assert sign_flip_p(d) == pytest.approx(stats.ttest_1samp(d, 0, alternative="greater").pvalue, abs=0.01)


def test_ordinary_differences_get_the_larger_of_t_and_sign_flip():
    d = np.random.default_rng(2).normal(0.35, 0.2, size=12)
    found = exceeds(d, 0.1)
    assert found.p == max(stats.ttest_1samp(d, 0.1, alternative="greater").pvalue, sign_flip_p(d - 0.1))


def test_equal_differences_get_a_finite_p_by_sign_flip():
    found = exceeds(np.full(12, 0.4), 0.1)
    assert (found.name, found.p) == ("sign_flip", 2.0**-12)


def test_nearly_equal_differences_do_not_run_to_a_p_of_zero():
    d = np.full(10, 0.4)
    d[0] += 1e-6
    assert exceeds(d, 0.1).p >= 2.0**-10


def test_equal_differences_below_the_margin_are_nothing():
    assert exceeds(np.full(12, 0.05), 0.1).p > 0.99
    assert exceeds(np.zeros(12), 0.1).p > 0.99


def test_fewer_than_two_blocks_give_no_test():
    assert exceeds(np.array([0.9, np.nan]), 0.1).name == "none"


def test_failing_in_every_block_is_significant_for_binary_outcomes():
    found = exceeds(np.ones(12), 0.1)
    assert found.name == "exact"
    assert found.p == pytest.approx(0.55**12)  # the least favourable null: worse in 55 %, better in 45 %


def test_the_binary_test_at_margin_zero_is_close_to_mcnemars():
    theirs = stats.binomtest(9, 10, alternative="greater").pvalue
    assert binary_p(9, 1, 24, 0.0) == pytest.approx(theirs, rel=1.0)


@pytest.mark.parametrize(("blocks", "margin"), [(8, 0.05), (12, 0.10), (20, 0.10)])
def test_the_binary_test_keeps_its_level_exactly_whatever_the_nuisance(blocks: int, margin: float):
    """Enumerated, not simulated: the chance of rejecting at the edge of H0, down to the alphas of false discovery."""
    outcomes = [(b, c) for b in range(blocks + 1) for c in range(blocks + 1 - b)]
    p = np.array([binary_p(b, c, blocks, margin) for b, c in outcomes])
    for nuisance in np.linspace(0, (1 - margin) / 2, 7):
        chances = [margin + nuisance, nuisance, 1 - margin - 2 * nuisance]
        mass = stats.multinomial.pmf([(b, c, blocks - b - c) for b, c in outcomes], blocks, np.maximum(chances, 0))
        for alpha in (0.05, 0.01, 0.002):
            assert mass[p <= alpha].sum() <= alpha * 1.02  # the grid of the nuisance proportion is finite


def test_the_t_test_would_not_keep_its_level_on_binary_outcomes():
    """Why there is an exact test: the same enumeration with t rejects several times too often in the far tail."""
    blocks, margin, nuisance, alpha = 12, 0.10, 0.45, 0.002
    outcomes = [(b, c) for b in range(blocks + 1) for c in range(blocks + 1 - b)]
    samples = [np.repeat([1.0, -1.0, 0.0], [b, c, blocks - b - c]) for b, c in outcomes]
    spread = np.array([x.std(ddof=1) for x in samples])
    t = np.array([(x.mean() - margin) for x in samples]) / np.maximum(spread, 1e-9) * np.sqrt(blocks)
    chances = [margin + nuisance, nuisance, 1 - margin - 2 * nuisance]
    mass = stats.multinomial.pmf([(b, c, blocks - b - c) for b, c in outcomes], blocks, np.maximum(chances, 0))
    assert mass[stats.t.sf(t, blocks - 1) <= alpha].sum() > 1.5 * alpha


def _rare(rng: np.random.Generator, n: int, margin: float) -> np.ndarray:
    return 0.5 * (rng.random(n) < 2 * margin)


def _sensors(rng: np.random.Generator, n: int, margin: float) -> np.ndarray:
    base = rng.beta(0.6, 1.4, n)
    lift = rng.beta(margin / 0.7, 1 - margin / 0.7, n)
    return (rng.binomial(8, base + (1 - base) * lift) - rng.binomial(8, base)) / 8


def _smooth(rng: np.random.Generator, n: int, margin: float) -> np.ndarray:
    return rng.normal(margin, 0.25, n)


@pytest.mark.parametrize("draw", [_rare, _sensors, _smooth], ids=["rare failures", "sensor shares", "normal"])
@pytest.mark.parametrize("blocks", [8, 24])
def test_a_true_difference_at_the_margin_is_rarely_called_beyond_it(draw, blocks: int):
    rng = np.random.default_rng(blocks)
    p = np.array([exceeds(draw(rng, blocks, 0.1), 0.1).p for _ in range(200)])
    for alpha in (0.05, 0.01):
        assert (p <= alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / len(p))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=14), st.floats(0.01, 0.5))
def test_p_is_a_probability_and_falls_as_the_margin_does(values: list[float], margin: float):
    d = np.array(values)
    strict, lax = exceeds(d, margin).p, exceeds(d, margin / 2).p
    assert 0 <= lax <= 1
    assert lax <= strict + 1e-9


def test_false_discovery_is_benjamini_and_hochbergs_and_leaves_out_what_was_not_tested():
    q = false_discovery(np.array([0.01, np.nan, 0.04, 0.03]))
    assert np.isnan(q[1])
    assert q[[0, 2, 3]] == pytest.approx([0.03, 0.04, 0.04])
    assert np.isnan(false_discovery(np.full(3, np.nan))).all()

"""Top-1, top-5, probability and margin against loops over classes, and on answers written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.metrics.classification import answers, mistaken, score
from audit.metrics.scores import REASON, long
from audit.metrics.specs import CLASSIFICATION_METRICS, SPECS

NAN = float("nan")


def shares(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def one(logits: list[float], right: list[int], target: list[int] | None = None) -> dict[str, object]:
    z = np.array([logits], dtype=np.float64)
    label, mask = np.zeros(z.shape, np.int8), np.zeros(z.shape, bool)
    label[0, right] = 1
    mask[0, right if target is None else target] = True
    return score(z, shares(z), label, mask).iloc[0].to_dict()


def literal(logits: np.ndarray, p: np.ndarray, right: set[int], target: set[int]) -> dict[str, float]:
    """The definitions, class by class. NaN where undefined."""
    classes = range(len(p))
    wrong_before = 0
    for c in classes:
        if c not in right and right and p[c] >= max(p[r] for r in right):
            wrong_before += 1
    others = [logits[c] for c in classes if c not in target]
    return {
        "top1": float(wrong_before == 0) if right else NAN,
        "top5": float(wrong_before <= 4) if right else NAN,
        "target_probability": min(sum(float(p[c]) for c in target), 1.0) if target else NAN,
        "logit_margin": max(logits[c] for c in target) - max(others) if target and others else NAN,
        "target_logit": sum(logits[c] for c in target) if target else NAN,
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 100_000), count=st.integers(1, 12), steps=st.sampled_from([1, 3, 1000]), rare=st.floats(0, 0.6)
)
def test_every_metric_equals_the_definition_class_by_class(seed: int, count: int, steps: int, rare: float) -> None:
    """Few steps make many ties."""
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, steps + 1, (4, count)) * (10 / steps)
    p = shares(logits)
    label, target = (rng.random((4, count)) < rare).astype(np.int8), rng.random((4, count)) < rare
    table = score(logits, p, label, target)
    for row in range(4):
        right, mask = set(np.flatnonzero(label[row] == 1)), set(np.flatnonzero(target[row]))
        for metric, number in literal(logits[row], p[row], right, mask).items():
            assert table.loc[row, metric] == pytest.approx(number, rel=1e-9, nan_ok=True), metric


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), steps=st.sampled_from([2, 1000]))
def test_the_list_of_answers_says_what_top1_and_top5_say(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    p = shares(rng.integers(0, steps, (5, 9)) * (8 / steps))
    label = np.zeros((5, 9), np.int8)
    label[np.arange(5), rng.integers(0, 9, 5)] = 1
    label[:, 3] = 1
    table, listed, wrong = score(np.log(p), p, label, label == 1), answers(p, label), mistaken(p, label)
    for row in range(5):
        of_row = listed[listed["row"] == row]
        assert of_row["rank"].tolist() == [1, 2, 3, 4, 5]
        assert (np.diff(of_row["probability"]) <= 0).all()
        assert of_row["is_right"].tolist() == [label[row, c] == 1 for c in of_row["output"]]
        assert bool(of_row["is_right"].iloc[0]) == (table.loc[row, "top1"] == 1)
        assert bool(of_row["is_right"].any()) == (table.loc[row, "top5"] == 1)
        assert wrong[row].sum() == (table.loc[row, "top1"] == 0)
        if wrong[row].any():
            assert of_row["output"].iloc[0] == np.flatnonzero(wrong[row])[0]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_the_margin_is_positive_exactly_where_the_answer_is_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(-6, 7, (8, 10)).astype(np.float64)
    label = np.zeros((8, 10), np.int8)
    label[np.arange(8), rng.integers(0, 10, 8)] = 1
    table = score(logits, shares(logits), label, label == 1)
    assert ((table["logit_margin"] > 0) == (table["top1"] == 1)).all()


def test_a_tie_with_a_wrong_class_is_wrong() -> None:
    assert one([3, 3, 0], right=[0])["top1"] == 0
    assert one([3, 3, 0], right=[1])["top1"] == 0
    assert one([3, 3, 0], right=[0])["logit_margin"] == 0
    assert one([3, 3, 0], right=[0, 1])["top1"] == 1  # tied, but both are right


def test_a_network_that_cannot_decide_is_never_right() -> None:
    scored = one([0.0] * 10, right=[0])
    assert (scored["top1"], scored["top5"]) == (0, 0)
    assert scored["target_probability"] == pytest.approx(0.1)


def test_the_fifth_answer_still_counts_and_the_sixth_does_not() -> None:
    assert one([9, 8, 7, 6, 5, 1, 0], right=[4])["top5"] == 1
    assert one([9, 8, 7, 6, 5, 1, 0], right=[5])["top5"] == 0
    assert one([9, 8, 7, 6, 5, 5, 0], right=[4])["top5"] == 0  # tied with the sixth
    assert one([9, 8, 7], right=[2])["top5"] == 1  # fewer classes than five


def test_any_of_the_accepted_classes_is_right_and_their_probabilities_add_up() -> None:
    scored = one([5, 4, 4.5, 0], right=[1, 2])
    assert scored["top1"] == 0
    assert scored["logit_margin"] == -0.5
    assert scored["target_logit"] == 8.5
    assert scored["target_probability"] == pytest.approx(float(shares(np.array([[5, 4, 4.5, 0]]))[0, 1:3].sum()))
    assert one([5, 4, 5.5, 0], right=[1, 2])["top1"] == 1


def test_an_arm_without_the_object_is_asked_about_the_object_all_the_same() -> None:
    scored = one([5, 4, 1], right=[], target=[1])
    assert math.isnan(scored["top1"])  # type: ignore[arg-type]
    assert scored["top1" + REASON] == scored["top5" + REASON] == "no_object"
    assert scored["logit_margin"] == -1
    assert scored["target_logit"] == 4
    assert scored["target_probability" + REASON] == ""


def test_without_a_target_or_without_another_class_there_is_no_margin() -> None:
    assert one([5, 4, 1], right=[])["logit_margin" + REASON] == "no_positive"
    assert one([5, 4], right=[0, 1])["logit_margin" + REASON] == "no_other_class"
    assert one([5, 4], right=[0, 1])["target_probability"] == 1


def test_the_margin_shows_what_a_saturated_probability_hides() -> None:
    sure, surer = one([30, 0, 0], right=[0]), one([60, 0, 0], right=[0])
    assert sure["target_probability"] == surer["target_probability"] == 1
    assert (sure["logit_margin"], surer["logit_margin"]) == (30, 60)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_a_network_that_answers_no_number_is_undefined_not_wrong(broken: float) -> None:
    z = np.array([[1.0, broken, 0.0], [1.0, 0.5, 0.0]])
    with np.errstate(invalid="ignore"):
        p = shares(z)
    label = np.array([[1, 0, 0], [1, 0, 0]], np.int8)
    table = score(z, p, label, label == 1)
    assert all(table.loc[0, metric + REASON] == "nan_output" for metric in CLASSIFICATION_METRICS)
    assert table.loc[0, list(CLASSIFICATION_METRICS)].isna().all()
    assert table.loc[1, "top1"] == 1
    if not np.isfinite(p[0]).all():
        assert not mistaken(p, label).any()
        assert set(answers(p, label)["row"]) == {1}


def test_what_it_was_taken_for_is_the_likeliest_wrong_class() -> None:
    p = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.4, 0.4, 0.2], [0.1, 0.45, 0.45]], np.float32)
    label = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], np.int8)
    assert mistaken(p, label).astype(int).tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]]
    nothing = np.zeros((4, 3), np.int8)
    assert mistaken(p, nothing).argmax(axis=1).tolist() == [1, 0, 0, 1]  # nothing is there: any answer is wrong


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_values_are_in_range_and_nan_exactly_where_there_is_a_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 30, (6, 20))
    label, target = (rng.random((6, 20)) < 0.05).astype(np.int8), rng.random((6, 20)) < 0.05
    table = long(score(logits, shares(logits), label, target))
    assert len(table) == 6 * len(CLASSIFICATION_METRICS)
    for metric, rows in table.groupby("metric"):
        assert (rows["value"].isna() == (rows["undefined_reason"] != "")).all()
        assert set(rows["undefined_reason"]) <= {"", *SPECS[metric].undefined_when}
        assert rows["value"].dropna().between(SPECS[metric].low, SPECS[metric].high).all()


def test_no_scenes_give_no_rows() -> None:
    nothing = np.zeros((0, 1000))
    assert len(score(nothing, nothing, nothing.astype(np.int8), nothing > 0)) == 0
    assert len(answers(nothing, nothing.astype(np.int8))) == 0
    assert mistaken(nothing, nothing.astype(np.int8)).shape == (0, 1000)


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must all be \(N, K\)"):
        score(np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((2, 3), np.int8), np.zeros((2, 3), bool))

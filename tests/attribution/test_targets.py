"""Any scalar of an answer can be attributed, and stays what it was chosen to be while the picture is altered."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audit.attribution import attribute
from audit.attribution.targets import TargetError, check, named, of_callable, outputs_where
from audit.metrics.cells import SENSORS
from audit.models import Adapter, ModelError

LOGITS = torch.tensor([[0.0, 3.0, 1.0], [5.0, -1.0, 4.0]])


def value(text: str, logits: torch.Tensor, answer: torch.Tensor | None = None) -> list[float]:
    found = named(text)(logits, range(len(logits)))(logits if answer is None else answer)
    return [float(v) for v in found]


def test_names_choose_what_they_say() -> None:
    assert value("predicted", LOGITS) == [3, 5]
    assert value("runner_up", LOGITS) == [1, 4]
    assert value("sum", LOGITS) == [4, 8]
    assert value("output:2", LOGITS) == [1, 4]


def test_cells_lie_at_distance_times_five_plus_sensor() -> None:
    logits = torch.arange(155.0)[None]
    assert value("cell:10/centre", logits) == [52]
    assert value("distance:10", logits) == [50 + 51 + 52 + 53 + 54]
    assert value("sensor:right", logits) == [sum(d * 5 + 4 for d in range(31))]
    assert [value(f"cell:0/{name}", logits)[0] for name in SENSORS] == [0, 1, 2, 3, 4]


def test_the_predicted_class_stays_the_class_of_the_unaltered_picture() -> None:
    """Covered up, a picture may be taken for another class; its map is still about the first."""
    altered = torch.tensor([[9.0, 2.0, 1.0], [0.0, 7.0, 4.0]])
    assert value("predicted", LOGITS, altered) == [2, 0]
    assert value("runner_up", LOGITS, altered) == [1, 4]


def test_rows_have_masks_of_their_own() -> None:
    mask = np.array([[True, False, True], [False, True, False]])
    bound = outputs_where(mask)
    assert bound(LOGITS, [0, 1])(LOGITS).tolist() == [1, -1]
    assert bound(LOGITS[[1]], [1])(LOGITS[[1]]).tolist() == [-1]


def test_an_infinite_logit_outside_the_mask_is_not_read() -> None:
    logits = torch.tensor([[1.0, float("inf"), float("nan")]])
    assert outputs_where(np.array([[True, False, False]]))(logits, [0])(logits).tolist() == [1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("predictd", "did you mean predicted"),
        ("output:9", "outputs 0 to 2"),
        ("output:cat", "no whole number"),
        ("sensor:middle", "there is no sensor middle"),
        ("distance:40", "0 to 30 cm"),
        ("cell:10/left", "no such cell"),
    ],
)
def test_a_target_that_is_not_there_is_named_in_one_line(text: str, says: str) -> None:
    with pytest.raises(TargetError, match=says) as error:
        value(text, LOGITS)
    assert isinstance(error.value, ModelError)
    assert "\n" not in str(error.value)


def test_a_class_is_asked_for_by_name() -> None:
    logits = torch.arange(1000.0)[None]
    assert value("class:lemon", logits) == [951]
    with pytest.raises(TargetError, match="class:lemmon"):
        named("class:lemmon")


@pytest.mark.parametrize(("text", "task"), [("sensor:left", "classification"), ("class:lemon", "proximity")])
def test_a_target_of_the_other_task_is_refused_before_any_picture(text: str, task: str) -> None:
    with pytest.raises(TargetError, match=f"asked for {task}"):
        check(text, task, 1000)
    check("truth", task, 1000)
    check("runner_up", task, 1000)


def test_any_callable_of_the_logits_is_a_target(untrained: Adapter, pictures: np.ndarray) -> None:
    """The margin of two cells has the difference of their maps."""
    few = pictures[:3]
    margin = of_callable(lambda logits: logits[:, 12] - logits[:, 14])
    found = attribute(untrained, few, margin, ["hires_cam"])["hires_cam"]
    one, other = (attribute(untrained, few, named(f"output:{i}"), ["hires_cam"])["hires_cam"] for i in (12, 14))
    np.testing.assert_allclose(found, one - other, atol=1e-5 * np.abs(one).max())


def test_a_callable_that_gives_no_number_per_picture_is_refused(untrained: Adapter, pictures: np.ndarray) -> None:
    with pytest.raises(TargetError, match="not \\(B,\\)"):
        attribute(untrained, pictures[:2], of_callable(lambda logits: logits.sum()), ["saliency"])


def test_gradients_at_the_pixels_run_through_the_standardisation(untrained: Adapter, pictures: np.ndarray) -> None:
    """A picture standardised per image ignores a brighter exposure, so the gradient at its pixels sums to nothing; what
    the network is fed knows no such thing."""
    few, target = pictures[:2], named("cell:10/centre")
    at_pixels, at_input = (
        attribute(untrained, few, target, ["saliency_signed", "hires_cam"], gradient_at=place)
        for place in ("picture", "input")
    )
    size = np.abs(at_pixels["saliency_signed"]).sum(axis=(1, 2))
    assert (np.abs(at_pixels["saliency_signed"].sum(axis=(1, 2))) < 1e-4 * size).all()
    assert (np.abs(at_input["saliency_signed"].sum(axis=(1, 2))) > 1e-3 * size).any()
    np.testing.assert_allclose(at_pixels["hires_cam"], at_input["hires_cam"], rtol=1e-4, atol=1e-6)

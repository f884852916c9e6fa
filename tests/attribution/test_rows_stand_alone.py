"""A picture's map is its own, whatever the method: other pictures, batch sizes and a caller's settings do not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import METHODS, attribute
from audit.attribution.targets import Scalar, all_outputs, predicted
from audit.config import MethodSettings
from audit.models import Adapter

OWN_PASSES = ("integrated_gradients", "smooth_grad", "occlusion", "rise", "score_cam", "ablation_cam")


@pytest.fixture(params=list(METHODS))
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(allowing: Callable[[str], Adapter], method: str) -> Adapter:
    return allowing(method)


def close(measured: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(measured, expected, atol=1e-4 * np.nanmax(np.abs(expected)), rtol=0)


@pytest.mark.parametrize("batch", [1, 64])
def test_a_map_does_not_depend_on_the_batch_size(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings, batch: int
) -> None:
    pictures, targets = pictures[:7], targets[:7]
    together = attribute(network, pictures, targets, [method], batch=7, settings=quick)[method]
    assert np.isfinite(together).all()
    parted = attribute(network, pictures, targets, [method], batch=batch, settings=quick)[method]
    is_apart = np.abs(parted - together) > 1e-4 * np.abs(together).max()
    # a gradient jumps where a rectifier is at its kink: of so many copies, one may fall either way by a rounding error
    assert is_apart.mean() <= (0.001 if method in ("integrated_gradients", "smooth_grad") else 0)
    assert np.abs(parted - together).max() < 0.01 * np.abs(together).max()


def test_equal_questions_get_equal_bytes(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings
) -> None:
    first, second = (
        attribute(network, pictures[:5], targets[:5], [method], batch=2, settings=quick)[method] for _ in range(2)
    )
    assert first.tobytes() == second.tobytes()


def test_a_method_alone_gives_what_it_gives_in_company(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings
) -> None:
    company = list(dict.fromkeys([method, *OWN_PASSES, "guided_backprop", "hires_cam"]))
    together = attribute(network, pictures[:3], targets[:3], company, settings=quick)[method]
    assert attribute(network, pictures[:3], targets[:3], [method], settings=quick)[method].tobytes() == (
        together.tobytes()
    )


def undefined_of_red(_module: nn.Module, inputs: tuple[torch.Tensor], logits: torch.Tensor) -> torch.Tensor:
    """NaN for a picture that is red all over, as a network answers that overflows."""
    is_red = (inputs[0][:, 0] > inputs[0][:, 1] + 1).flatten(1).all(dim=1)
    return torch.where(is_red[:, None], torch.nan, logits)


def test_a_picture_that_the_network_cannot_answer_is_nan_and_alone(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings
) -> None:
    shown = pictures[:4].copy()
    expected = attribute(network, shown[[0, 1, 3]], targets[[0, 1, 3]], [method], settings=quick)[method]
    shown[2] = (250, 5, 5)
    shown[2, 0, 0] = (240, 5, 5)
    network.module.register_forward_hook(undefined_of_red)
    assert np.isnan(network.logits(shown)[2]).all()
    maps = attribute(network, shown, targets[:4], [method], settings=quick)[method]
    assert np.isnan(maps[2]).all()
    close(maps[[0, 1, 3]], expected)


def undefined_when_altered(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
    """The sum of outputs; of picture 1 it is NaN for every copy that is answered differently from the picture."""
    whole = all_outputs(logits, rows)
    as_it_is = whole(logits)
    touchy = torch.tensor([row == 1 for row in rows])

    def scalar(answer: torch.Tensor) -> torch.Tensor:
        found = whole(answer)
        is_undefined = touchy & ((found - as_it_is).abs() > 1e-3 * as_it_is.abs())
        return found * torch.where(is_undefined, torch.nan, 1.0)  # the gradient as well

    return scalar


@pytest.mark.parametrize("name", OWN_PASSES)
@pytest.mark.parametrize("batch", [2, 64])
def test_a_copy_that_cannot_be_answered_spoils_its_own_picture_alone(
    untrained: Adapter, pictures, name: str, quick: MethodSettings, batch: int
) -> None:
    expected = attribute(untrained, pictures[:4], all_outputs, [name], batch, quick)[name]
    maps = attribute(untrained, pictures[:4], undefined_when_altered, [name], batch, quick)[name]
    assert np.isnan(maps[1]).any()
    close(maps[[0, 2, 3]], expected[[0, 2, 3]])


@pytest.mark.parametrize("name", OWN_PASSES)
def test_the_predicted_output_stays_the_same_while_the_picture_is_altered(
    untrained: Adapter, pictures, name: str, quick: MethodSettings
) -> None:
    """A grey patch may change what is predicted; what is asked about is what the unaltered picture predicts."""
    best = untrained.logits(pictures[:4]).argmax(axis=1)
    mask = np.zeros((4, 155), bool)
    mask[np.arange(4), best] = True
    maps = attribute(untrained, pictures[:4], predicted, [name], settings=quick)[name]
    close(maps, attribute(untrained, pictures[:4], mask, [name], settings=quick)[name])


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_works_where_the_caller_has_switched_gradients_off(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings, context
) -> None:
    expected = attribute(network, pictures[:3], targets[:3], [method], settings=quick)[method]
    with context():
        maps = attribute(network, pictures[:3], targets[:3], [method], settings=quick)[method]
    assert maps.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", OWN_PASSES)
def test_gradients_and_greys_may_lie_at_the_pixels(untrained: Adapter, pictures, name: str, quick) -> None:
    """A removed pixel is then middle grey, and the network standardises what is left."""
    maps = attribute(untrained, pictures[:3], all_outputs, [name], settings=quick, gradient_at="picture")[name]
    assert np.isfinite(maps).all()
    assert (maps != 0).any()


@pytest.mark.parametrize("name", OWN_PASSES)
def test_no_more_than_a_batch_of_copies_is_ever_shown_at_once(
    untrained: Adapter, pictures, targets, name: str, quick: MethodSettings
) -> None:
    sizes = []
    untrained.module.register_forward_hook(lambda _m, inputs, _o: sizes.append(len(inputs[0])))
    attribute(untrained, pictures[:7], targets[:7], [name], batch=5, settings=quick)
    assert max(sizes) <= 5
    assert len(sizes) > 2

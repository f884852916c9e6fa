"""Maps of many targets out of one forward pass are those that `attribute` gives, one target at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import AttributionError, attribute, targets
from audit.attribution.jacobian import maps_of_outputs, maps_of_sums
from audit.models import Adapter
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN

OUTPUTS = (0, 7, 77, 154)
PLAIN = ("hires_cam", "grad_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam", "saliency", "input_x_gradient")


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("method", PLAIN)
def test_maps_of_outputs_are_those_of_one_output_at_a_time(adapter: Adapter, pictures: np.ndarray, method: str) -> None:
    found = maps_of_outputs(adapter, pictures[:5], OUTPUTS, method, batch=2)
    assert found.dtype == np.float32
    for place, index in enumerate(OUTPUTS):
        close(found[:, place], attribute(adapter, pictures[:5], targets.output(index), [method])[method])


def test_maps_of_sums_are_those_of_a_sum_of_logits(adapter: Adapter, pictures: np.ndarray) -> None:
    sums = np.random.default_rng(2).random((3, 155)) < 0.2
    found = maps_of_sums(adapter, pictures[:4], sums, ["hires_cam", "saliency"])
    for place, mask in enumerate(sums):
        expected = attribute(adapter, pictures[:4], np.tile(mask, (4, 1)), ["hires_cam", "saliency"])
        for method in expected:
            close(found[method][:, place], expected[method])


def test_a_method_with_passes_of_its_own_is_refused(untrained: Adapter, pictures: np.ndarray) -> None:
    with pytest.raises(AttributionError, match="guided_backprop cannot be had of many targets"):
        maps_of_outputs(untrained, pictures[:1], [0], "guided_backprop")


def test_no_targets_and_no_pictures_give_empty_arrays(untrained: Adapter, pictures: np.ndarray) -> None:
    assert maps_of_outputs(untrained, pictures[:2], [], "hires_cam").shape == (2, 0, 16, 20)
    assert maps_of_outputs(untrained, pictures[:0], [3], "hires_cam").shape == (0, 1, 16, 20)


def test_a_picture_with_a_broken_answer_has_nan_maps_and_leaves_the_others_alone(make_adapter, pictures) -> None:
    class Broken(ProximityCNN):
        def forward(self, fed: torch.Tensor) -> torch.Tensor:
            answer = super().forward(fed)
            spoilt = torch.zeros_like(answer)
            spoilt[1, 7] = torch.nan
            return answer + spoilt

    torch.manual_seed(0)
    adapter = make_adapter(Broken(), TARGET_LAYER, (16, 20))
    found = maps_of_outputs(adapter, pictures[:3], OUTPUTS, "hires_cam")
    is_broken = np.isnan(found).all(axis=(2, 3))
    assert is_broken.sum() == 1
    assert is_broken[1, OUTPUTS.index(7)]
    assert np.isfinite(found[~is_broken]).all()


class Unbatched(torch.autograd.Function):
    """A user's own function, which says nothing of how it is batched."""

    @staticmethod
    def forward(ctx: object, values: torch.Tensor) -> torch.Tensor:
        return values * 2

    @staticmethod
    def backward(ctx: object, above: torch.Tensor) -> torch.Tensor:
        if above.max().item() > 1e9:  # looks at its values, which a batched pass does not allow
            raise ValueError
        return above * 2


def test_a_function_that_cannot_be_batched_gets_a_pass_per_target(make_adapter, pictures) -> None:
    class Own(ProximityCNN):
        def forward(self, fed: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = Unbatched.apply(super().forward(fed))
            return answer

    torch.manual_seed(0)
    adapter = make_adapter(Own(), TARGET_LAYER, (16, 20))
    found = maps_of_outputs(adapter, pictures[:3], OUTPUTS, "hires_cam")
    close(found[:, 1], attribute(adapter, pictures[:3], targets.output(7), ["hires_cam"])["hires_cam"])


def test_the_network_is_left_as_it_was_found(untrained: Adapter, pictures: np.ndarray) -> None:
    before = {name: p.requires_grad for name, p in untrained.module.named_parameters()}
    maps_of_outputs(untrained, pictures[:2], OUTPUTS, "hires_cam")
    parts: list[nn.Module] = list(untrained.module.modules())
    assert all(not part._forward_hooks for part in parts)
    assert {name: p.requires_grad for name, p in untrained.module.named_parameters()} == before
    assert all(p.grad is None for p in untrained.module.parameters())

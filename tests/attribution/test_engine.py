"""Whole batches, one forward and one backward pass, rows that do not see each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import FAMILY, METHODS, AttributionError, attribute, resized
from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, build_adapter
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN
from tests.models.tasks import PROXIMITY

ALL = list(FAMILY)


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.nanmax(np.abs(expected)), rtol=0)


def test_maps_come_at_their_own_resolution_as_float32(untrained: Adapter, pictures, targets) -> None:
    maps = attribute(untrained, pictures, targets, ALL)
    size = {"input": (16, 64, 80), "layer": (16, 16, 20)}
    assert {name: (values.shape, values.dtype.name) for name, values in maps.items()} == {
        name: (size[METHODS[name].place], "float32") for name in ALL
    }
    assert all(np.isfinite(values).all() for values in maps.values())


def test_all_methods_together_cost_one_forward_and_one_backward_pass_per_batch(
    untrained: Adapter, pictures, targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwards, backwards = [], []
    untrained.module.register_forward_hook(lambda _m, inputs, _o: forwards.append(len(inputs[0])))
    differentiate = torch.autograd.grad

    def counted(*arguments, **settings):
        backwards.append(1)
        return differentiate(*arguments, **settings)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    monkeypatch.setattr(torch.Tensor, "backward", lambda *_: pytest.fail("a second way to differentiate"))
    attribute(untrained, pictures, targets, ALL, batch=6)
    assert forwards == [6, 6, 4]
    assert len(backwards) == 3


def test_class_activation_maps_alone_go_back_to_their_layer_and_no_further(
    untrained: Adapter, pictures, targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    differentiate, places = torch.autograd.grad, []

    def watched(target, inputs, **settings):
        places.append([tuple(place.shape[1:]) for place in inputs])
        return differentiate(target, inputs, **settings)

    monkeypatch.setattr(torch.autograd, "grad", watched)
    untrained.module.encoder[0].register_forward_hook(lambda _m, _i, output: places.append(output.requires_grad))
    attribute(untrained, pictures, targets, ["hires_cam", "grad_cam"])
    attribute(untrained, pictures, targets, ["saliency"])
    assert places == [False, [(8, 16, 20)], True, [(3, 64, 80)]]


@pytest.mark.parametrize("batch", [1, 5, 16, 64])
def test_maps_do_not_depend_on_the_batch_size(adapter: Adapter, pictures, targets, batch: int) -> None:
    together = attribute(adapter, pictures, targets, ALL, batch=16)
    for name, values in attribute(adapter, pictures, targets, ALL, batch=batch).items():
        close(values, together[name])


def test_equal_questions_get_equal_bytes(adapter: Adapter, pictures, targets) -> None:
    first, second = (attribute(adapter, pictures, targets, ALL, batch=5) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in ALL)


def test_a_method_alone_gives_what_it_gives_in_company(untrained: Adapter, pictures, targets) -> None:
    together = attribute(untrained, pictures, targets, ALL)
    for name in ALL:
        alone = attribute(untrained, pictures, targets, [name])
        assert list(alone) == [name]
        assert alone[name].tobytes() == together[name].tobytes()


def test_a_row_without_target_is_nan_and_leaves_the_others_alone(untrained: Adapter, pictures, targets) -> None:
    full = attribute(untrained, pictures, targets, ALL)
    some = targets.copy()
    some[[0, 7, 15]] = False
    for name, values in attribute(untrained, pictures, some, ALL, batch=4).items():
        empty = ~some.any(axis=1)
        assert np.isnan(values[empty]).all()
        close(values[~empty], full[name][~empty])


def test_rows_without_target_cost_no_pass(untrained: Adapter, pictures) -> None:
    untrained.module.register_forward_hook(lambda *_: pytest.fail("nothing was asked"))
    maps = attribute(untrained, pictures, np.zeros((16, 155), bool), ALL)
    assert list(maps) == ALL
    assert all(np.isnan(values).all() for values in maps.values())


def test_no_pictures_give_no_maps(untrained: Adapter, pictures, targets) -> None:
    maps = attribute(untrained, pictures[:0], targets[:0], ALL)
    assert all(len(values) == 0 for values in maps.values())


def test_the_target_is_the_sum_of_the_logits_of_its_cells(untrained: Adapter, pictures) -> None:
    """Gradients add up, so the map of two cells is the sum of their maps."""
    one, other = np.zeros((16, 155), bool), np.zeros((16, 155), bool)
    one[:, 12], other[:, 150] = True, True
    maps = [attribute(untrained, pictures, mask, ["hires_cam"])["hires_cam"] for mask in (one, other, one | other)]
    close(maps[0] + maps[1], maps[2])


def test_outputs_beyond_the_scored_ones_are_never_read(make_adapter, pictures, targets) -> None:
    torch.manual_seed(0)
    network = ProximityCNN(325)
    adapter = make_adapter(network, TARGET_LAYER, (16, 20))
    before = attribute(adapter, pictures, targets, ALL)
    with torch.no_grad():
        network.decoder[3].weight[155:] *= 1000
    after = attribute(adapter, pictures, targets, ALL)
    assert all(before[name].tobytes() == after[name].tobytes() for name in ALL)


def test_pictures_of_several_sizes_are_attributed_on_the_networks_grid(untrained: Adapter, targets) -> None:
    rng = np.random.default_rng(0)
    mixed = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 80), (540, 960))]
    maps = attribute(untrained, mixed, targets[:2], ALL)
    close(maps["saliency"][1:], attribute(untrained, mixed[1:], targets[1:2], ["saliency"])["saliency"])


def test_a_network_that_answers_a_constant_has_a_map_of_zeros(monkeypatch, pictures, targets) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    adapter = build_adapter(ModelConfig(architecture="tests.models.planted.ConstantNet"), "cpu", PROXIMITY)
    maps = attribute(adapter, pictures, targets, ALL)
    assert all((values == 0).all() for values in maps.values())


def test_the_border_networks_map_lies_on_its_six_columns(monkeypatch, pictures, targets) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    unit = PreprocessingConfig(normalisation="fixed")
    config = ModelConfig(architecture="tests.models.planted.LeftBorderNet", preprocessing=unit)
    maps = attribute(build_adapter(config, "cpu", PROXIMITY), pictures, targets, ["saliency", "hires_cam"])
    for values in maps.values():
        assert (values[:, :, :6] > 0).all()
        assert (values[:, :, 6:] == 0).all()


class Detached(nn.Module):
    """The target does not depend on the layer, nor on the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 2, 3, padding=1)
        self.answer = nn.Parameter(torch.arange(155.0))

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        self.features(fed.detach())
        return self.answer.expand(len(fed), -1)


def test_a_target_unconnected_to_picture_and_layer_has_a_map_of_zeros(make_adapter, pictures, targets) -> None:
    maps = attribute(make_adapter(Detached(), "features", (64, 80)), pictures, targets, ALL)
    assert all((values == 0).all() for values in maps.values())


def test_works_where_the_caller_has_switched_gradients_off(untrained: Adapter, pictures, targets) -> None:
    expected = attribute(untrained, pictures, targets, ALL)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            maps = attribute(untrained, pictures, targets, ALL)
        assert all(maps[name].tobytes() == expected[name].tobytes() for name in ALL)


def test_an_unknown_method_gets_the_nearest_name(untrained: Adapter, pictures, targets) -> None:
    with pytest.raises(AttributionError, match="did you mean grad_cam") as error:
        attribute(untrained, pictures, targets, ["grad-cam"])
    assert isinstance(error.value, ModelError)


def test_targets_for_other_pictures_are_refused(untrained: Adapter, pictures, targets) -> None:
    with pytest.raises(ValueError, match="16 pictures"):
        attribute(untrained, pictures, targets[:5], ALL)


def test_maps_are_enlarged_as_torch_does_it() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 16, 20)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=(64, 80), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resized(maps, 64, 80), expected[:, 0].numpy(), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_and_cpu_agree(make_adapter, untrained: Adapter, pictures, targets) -> None:
    import copy

    on_cuda = make_adapter(copy.deepcopy(untrained.module), TARGET_LAYER, (16, 20), device="cuda")
    expected = attribute(untrained, pictures, targets, ALL)
    for name, values in attribute(on_cuda, pictures, targets, ALL).items():
        close(values, expected[name])

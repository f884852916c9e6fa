"""The methods of the first audits re-derived slowly, one picture, one channel, one place at a time, on the proximity
network, and held against an independent library. The others stand beside this file, one file a kind.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import attribute
from audit.models import Adapter

ALL = ["saliency", "grad_cam", "hires_cam"]


def activation_and_gradient(adapter: Adapter, picture: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the proximity network in two halves, cut at its target layer: no hook, one picture."""
    encoder, decoder = adapter.module.encoder, adapter.module.decoder
    cut = int(adapter.target_layer.split(".")[1]) + 1
    activation = encoder[:cut](adapter.preprocessing.apply(picture[None])).detach().requires_grad_()
    logits = decoder(encoder[cut:](activation).flatten(1))[0]
    target = sum((logits[cell] for cell in np.flatnonzero(cells)), torch.zeros(()))
    target.backward()
    return activation.detach()[0].numpy(), activation.grad[0].numpy()


def literal_grad_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    channels, height, width = activation.shape
    cam = np.zeros((height, width))
    for channel in range(channels):
        weight = sum(gradient[channel, i, j] for i in range(height) for j in range(width)) / (height * width)
        for i in range(height):
            for j in range(width):
                cam[i, j] += weight * activation[channel, i, j]
    return cam


def literal_hires_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    channels, height, width = activation.shape
    cam = np.zeros((height, width))
    for channel in range(channels):
        for i in range(height):
            for j in range(width):
                cam[i, j] += gradient[channel, i, j] * activation[channel, i, j]
    return cam


def literal_saliency(adapter: Adapter, picture: np.ndarray, cells: np.ndarray) -> np.ndarray:
    fed = adapter.preprocessing.apply(picture[None]).requires_grad_()
    logits = adapter.module(fed)[0]
    sum((logits[cell] for cell in np.flatnonzero(cells)), torch.zeros(())).backward()
    gradient = fed.grad[0].numpy()
    height, width = gradient.shape[1:]
    return np.array([[max(abs(gradient[c, i, j]) for c in range(3)) for j in range(width)] for i in range(height)])


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-5) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)


def test_all_three_equal_their_literal_form(adapter: Adapter, pictures: np.ndarray, targets: np.ndarray) -> None:
    pictures, targets = pictures[:3], targets[:3]
    maps = attribute(adapter, pictures, targets, ALL, batch=3)
    for row in range(3):
        activation, gradient = activation_and_gradient(adapter, pictures[row], targets[row])
        close(maps["grad_cam"][row], literal_grad_cam(activation, gradient))
        close(maps["hires_cam"][row], literal_hires_cam(activation, gradient))
        close(maps["saliency"][row], literal_saliency(adapter, pictures[row], targets[row]))


def test_class_activation_maps_are_stored_with_their_sign(
    adapter: Adapter, pictures: np.ndarray, targets: np.ndarray
) -> None:
    maps = attribute(adapter, pictures, targets, ["grad_cam", "hires_cam"])
    assert all((values < 0).any() and (values > 0).any() for values in maps.values())


def test_saliency_and_grad_cam_equal_captums(adapter: Adapter, pictures: np.ndarray, targets: np.ndarray) -> None:
    captum = pytest.importorskip("captum.attr")
    mask = torch.from_numpy(targets)

    def target(fed: torch.Tensor) -> torch.Tensor:
        return (adapter.module(fed)[:, :155] * mask).sum(dim=1)

    fed = adapter.preprocessing.apply(pictures)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gradient = captum.Saliency(target).attribute(fed.clone().requires_grad_(), abs=True)
        cam = captum.LayerGradCam(target, adapter.layer()).attribute(fed, relu_attributions=False)
    maps = attribute(adapter, pictures, targets, ["saliency", "grad_cam"])
    close(maps["saliency"], gradient.amax(dim=1).numpy())
    close(maps["grad_cam"], cam[:, 0].detach().numpy())


def test_the_saliency_of_a_linear_network_is_its_weights(make_adapter, pictures: np.ndarray) -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input = nn.Identity()
            self.dense = nn.Linear(3 * 64 * 80, 155)

        def forward(self, fed: torch.Tensor) -> torch.Tensor:
            return self.dense(self.input(fed).flatten(1))

    network = Linear()
    adapter = make_adapter(network, "input", (64, 80))
    cells = np.zeros((2, 155), bool)
    cells[0, 17] = cells[1, [3, 140]] = True
    maps = attribute(adapter, pictures[:2], cells, ALL)
    weights = network.dense.weight.detach().numpy().reshape(155, 3, 64, 80)
    close(maps["saliency"][0], np.abs(weights[17]).max(axis=0))
    close(maps["saliency"][1], np.abs(weights[3] + weights[140]).max(axis=0))
    fed = adapter.preprocessing.apply(pictures[:1])[0].numpy()
    close(maps["hires_cam"][0], (weights[17] * fed).sum(axis=0))
    # a linear target is its HiResCAM, summed, plus the bias: completeness
    logit = float(adapter.logits(pictures[:1])[0, 17] - network.dense.bias[17].item())
    assert maps["hires_cam"][0].sum() == pytest.approx(logit, rel=1e-3, abs=1e-4)


def test_behind_global_pooling_the_two_cams_are_one_map_and_its_sum_is_the_logit(make_adapter, pictures) -> None:
    """One convolution, pooling, one dense layer without bias: Zhou's CAM, where Grad-CAM equals HiResCAM."""

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
            self.dense = nn.Linear(6, 155, bias=False)

        def forward(self, fed: torch.Tensor) -> torch.Tensor:
            return self.dense(self.features(fed).mean(dim=(2, 3)))

    torch.manual_seed(1)
    adapter = make_adapter(Pooled(), "features.1", (64, 80))
    cells = np.zeros((4, 155), bool)
    cells[:, 77] = True
    maps = attribute(adapter, pictures[:4], cells, ["grad_cam", "hires_cam"])
    close(maps["grad_cam"], maps["hires_cam"])
    np.testing.assert_allclose(maps["grad_cam"].sum(axis=(1, 2)), adapter.logits(pictures[:4])[:, 77], rtol=1e-4)


def test_a_maximum_over_channels_does_not_see_their_order(adapter: Adapter, pictures, targets) -> None:
    """The BGR reading of a network equals the RGB reading of the picture with red and blue exchanged."""
    import dataclasses

    other = "rgb" if adapter.preprocessing.channels == "bgr" else "bgr"
    swapped = dataclasses.replace(adapter, preprocessing=dataclasses.replace(adapter.preprocessing, channels=other))
    there = attribute(adapter, pictures, targets, ["saliency"])["saliency"]
    back = attribute(swapped, pictures[..., ::-1], targets, ["saliency"])["saliency"]
    close(back, there)

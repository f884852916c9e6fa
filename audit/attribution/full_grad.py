"""FullGrad: the answer of a network of rectifiers, shared out between its input and its biases without a rest."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from audit.attribution.network import Network, kept_calls
from audit.attribution.passes import Pass
from audit.attribution.targets import Scalar

NOT_COMPLETE = "shares out the answer of networks that are linear piece by piece, and of this one a rest remains"


@dataclass(frozen=True)
class Parts:
    """The target's value (B,) and what adds up to it, with its sign: input x gradient (B, 3, H, W), and
    bias x gradient of each call of each biased layer, in the shape of its output.
    """

    value: Tensor
    input: Tensor
    biases: tuple[Tensor, ...]

    def total(self) -> Tensor:
        """(B,): equal to value where the network is linear piece by piece; NaN where a layer does not keep the rows
        apart, such as one within windows.
        """
        parts = (self.input, *self.biases)
        if any(len(part) != len(self.value) for part in parts):
            return torch.full_like(self.value, torch.nan)
        return torch.stack([part.flatten(1).sum(dim=1) for part in parts]).sum(dim=0)


def full_grad(passed: Pass) -> Tensor:
    """Srinivas and Fleuret 2019, section 4: |input x gradient| plus the enlarged |bias x gradient| of every layer with
    places, summed over channels, (B, H, W), >= 0.

    The paper stretches every channel to [0, 1] first, which gives a channel of no weight as much say as any other;
    here the parts keep their size. Biases of dense layers have no place and are left out. `input` is what the network
    is fed, also where other gradients end at the pixels.
    """
    parts = full_gradient(passed.network, passed.pictures, passed.scalar_of(torch.arange(len(passed.pictures))))
    found = parts.input.abs().sum(dim=1)
    for part in parts.biases:
        if part.ndim == 4 and len(part) == len(found):
            places = part.abs().sum(dim=1, keepdim=True)  # enlarging is linear, so channels can be added up first
            found = found + interpolate(places, size=found.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return found


def full_gradient(network: Network, pictures: Tensor, scalar: Scalar) -> Parts:
    """Equation 2 of the paper for every picture (B, 3, H, W)."""
    fed = pictures if network.normalise is None else network.normalise(pictures)
    layers = [layer for layer in network.module.modules() if _bias(layer) is not None]
    with torch.enable_grad(), kept_calls(layers) as calls:
        leaf = fed.detach().requires_grad_()
        value = scalar(dataclasses.replace(network, normalise=None).logits(leaf))
        places = [leaf, *(output for _, output in calls)]
        found = _gradients(value, places)
    biases = [
        _along_channels(layer, gradient) * gradient for (layer, _), gradient in zip(calls, found[1:], strict=True)
    ]
    return Parts(value.detach(), leaf.detach() * found[0], tuple(biases))


def with_a_rest(network: Network, picture: Tensor) -> str:
    """Why FullGrad means little to a network: smooth nonlinearities, attention, products and saturation leave a rest
    that belongs to no input and no bias.
    """
    parts = full_gradient(network, picture, lambda logits: logits.amax(dim=1))
    is_single = all(p.dtype in (torch.float32, torch.float64) for p in network.module.parameters())
    size = parts.value.abs() + max(float(part.abs().sum()) for part in (parts.input, *parts.biases))
    rest = (parts.value - parts.total()).abs()
    return "" if bool((rest <= (1e-3 if is_single else 5e-2) * size).all()) else NOT_COMPLETE


def _gradients(value: Tensor, places: list[Tensor]) -> list[Tensor]:
    if not value.requires_grad:
        return [torch.zeros_like(place, dtype=torch.float32) for place in places]
    found = torch.autograd.grad(value.sum(), places, allow_unused=True)
    return [torch.zeros_like(p).float() if g is None else g.float() for p, g in zip(places, found, strict=True)]


def _bias(layer: nn.Module) -> Tensor | None:
    """What a layer adds whatever comes in, (C,); of a BatchNorm in evaluation mode what its averages add too."""
    if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
        assert layer.running_var is not None
        scale = (layer.running_var.float() + layer.eps).rsqrt()
        if layer.affine:
            scale = scale * layer.weight.detach().float()
        shift = -layer.running_mean.float() * scale
        return shift + layer.bias.detach().float() if layer.affine else shift
    if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear) and layer.bias is not None:
        return layer.bias.detach().float()
    return None


def _along_channels(layer: nn.Module, output: Tensor) -> Tensor:
    bias = _bias(layer)
    assert bias is not None
    if isinstance(layer, nn.Linear):
        return bias
    return bias.view(-1, *[1] * (output.ndim - 2))

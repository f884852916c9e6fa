"""FullGrad: the answer of a network of rectifiers, shared out between its input and its biases without a rest."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from audit.attribution.network import Network, kept_calls
from audit.attribution.passes import Pass, gradients_at
from audit.attribution.targets import Scalar

NOT_COMPLETE = "shares out the answer of networks that are linear piece by piece, and of this one a rest remains"
HIDDEN = "needs to see what batch normalisations put out, and behind that this one may go on:"


@dataclass(frozen=True)
class Parts:
    """The target's value (B,) and what adds up to it, with its sign: input x gradient (B, 3, H, W), and
    bias x gradient of each call of each biased layer, in the shape of its output with the channels behind the rows.
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
    # where each bias is added, and whose it is
    added = {_adding(layer): layer for layer in network.module.modules() if _bias(layer) is not None}
    with torch.enable_grad(), kept_calls(list(added)) as calls:
        leaf = fed.detach().requires_grad_()
        value = scalar(dataclasses.replace(network, normalise=None).logits(leaf))
        found = [g.float() for g in gradients_at(value, [leaf, *(output for _, output in calls)])]
    biases = [_bias_x_gradient(added[part], gradient) for (part, _), gradient in zip(calls, found[1:], strict=True)]
    return Parts(value.detach(), leaf.detach() * found[0], tuple(biases))


def with_a_rest(network: Network, picture: Tensor) -> str:
    """Why FullGrad means little to a network: smooth nonlinearities, attention, products and saturation leave a rest
    that belongs to no input and no bias. So do biases that are added where nobody sees it.
    """
    parts = full_gradient(network, picture, lambda logits: logits.amax(dim=1))
    is_single = all(p.dtype in (torch.float32, torch.float64) for p in network.module.parameters())
    size = parts.value.abs() + max(float(part.abs().sum()) for part in (parts.input, *parts.biases))
    rest = (parts.value - parts.total()).abs()
    if bool((rest <= (1e-3 if is_single else 5e-2) * size).all()):
        return ""
    hidden = [layer for layer in network.module.modules() if _is_own_norm(layer) and _adding(layer) is layer]
    return f"{HIDDEN} {type(hidden[0]).__name__}" if hidden else NOT_COMPLETE


def _is_own_norm(layer: nn.Module) -> bool:
    """A normalisation that goes its own way forward: its output need not be what was normalised."""
    own = type(layer).forward not in (nn.modules.batchnorm._BatchNorm.forward, nn.SyncBatchNorm.forward)
    return isinstance(layer, nn.modules.batchnorm._BatchNorm) and own


def _adding(layer: nn.Module) -> nn.Module:
    """The module that puts out what a layer's bias has just been added to: itself, unless an activation follows within
    it, as in those of timm, which hand what they normalise to a dropout first."""
    first = getattr(layer, "drop", None)
    return first if _is_own_norm(layer) and isinstance(first, nn.Module) else layer


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


def _bias_x_gradient(layer: nn.Module, gradient: Tensor) -> Tensor:
    """(B, C, ...), of the gradient at a layer's output: dense layers work on its last axis, others on the second."""
    bias = _bias(layer)
    assert bias is not None
    if isinstance(layer, nn.Linear) and gradient.ndim > 2:
        gradient = gradient.movedim(-1, 1)
    return bias.view(-1, *[1] * (gradient.ndim - 2)) * gradient

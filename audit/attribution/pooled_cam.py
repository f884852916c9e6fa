"""CAM as it was first defined: for networks that average a layer over places and read it with one linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audit.attribution.network import Network, kept_output
from audit.attribution.passes import Pass
from audit.models.errors import ModelError

NO_HEAD = "needs a target layer that is averaged over places and then read by one linear layer, and here it is not"


@dataclass(frozen=True)
class Head:
    """What reads the averaged layer. weight: (K, C) float32. is_rectified: the layer's output goes through a ReLU
    before it is averaged, which is no layer of its own in some networks.
    """

    weight: Tensor
    is_rectified: bool


def cam(passed: Pass) -> Tensor:
    """Zhou et al. 2016, section 2: sum over channels of (weight of the target's output) x activation, (B, h, w).

    The weights of several outputs add up as the target adds the outputs up; of a target that is not linear in the
    outputs they are its derivatives. Raises ModelError where the network has no such head.
    """
    if passed.activation is None:
        raise ValueError("the pass was made without the layer")
    is_answered = torch.isfinite(passed.logits).all(dim=1)
    if not is_answered.any():
        return torch.full_like(passed.activation[:, 0], torch.nan)
    row = is_answered.nonzero()[:1, 0]
    head = _head(passed.network, passed.activation[row], passed.logits[row])
    if head is None:
        raise ModelError(f"cam {NO_HEAD}")
    with torch.enable_grad():
        logits = passed.logits.detach().requires_grad_()
        value = passed.scalar_of(torch.arange(len(logits)))(logits).sum()
        (share,) = torch.autograd.grad(value, [logits])
    activation = passed.activation.clamp(min=0) if head.is_rectified else passed.activation
    return torch.einsum("bk,kc,bchw->bhw", share, head.weight, activation)


def without_pooled_head(network: Network, picture: Tensor) -> str:
    """Why a network has no CAM: no linear layer gives its answer from the average of the target layer."""
    if network.layer is None:
        return NO_HEAD
    with torch.no_grad(), kept_output(network.layer) as kept:
        logits = network.logits(picture)
    return "" if _head(network, network.layout.maps(kept[-1]).float(), logits) else NO_HEAD


def _head(network: Network, activation: Tensor, logits: Tensor) -> Head | None:
    """The layer that gives `logits` (1, K) from `activation` (1, C, h, w); found by trying, whatever its name."""
    is_single = all(p.dtype in (torch.float32, torch.float64) for p in network.module.parameters())
    # far above the rounding of the network's precision, far below what another layer would miss by
    near = (1e-3 if is_single else 3e-2) * logits.abs().max()
    for layer in network.module.modules():
        weight, bias = _linear(layer)
        if weight is None or weight.shape[1] != activation.shape[1] or len(weight) < logits.shape[1]:
            continue
        weight = weight[: logits.shape[1]]
        for is_rectified in (False, True):
            shown = activation.clamp(min=0) if is_rectified else activation
            scores = torch.einsum("kc,bchw->bkhw", weight, shown)
            if bias is not None:
                scores = scores + bias[: len(weight), None, None]
            if any((answer - logits).abs().max() <= near for answer in _averages(layer, scores)):
                return Head(weight, is_rectified)
    return None


def _averages(layer: nn.Module, scores: Tensor) -> Iterator[Tensor]:
    """Answers (1, K) that scores at each place (1, K, h, w) may be averaged to: a convolution's may be rectified."""
    yield scores.mean(dim=(2, 3))
    if isinstance(layer, nn.Conv2d):
        yield scores.clamp(min=0).mean(dim=(2, 3))


def _linear(layer: nn.Module) -> tuple[Tensor | None, Tensor | None]:
    """Weight (outputs, inputs) and bias, float32, of a linear layer or a convolution of one pixel; else None."""
    is_pointwise = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
    if not isinstance(layer, nn.Linear) and not is_pointwise:
        return None, None
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    return weight.detach().float().flatten(1), bias.detach().float() if isinstance(bias, Tensor) else None

"""Class activation maps: closed forms on the target layer's activation and its gradient, both (B, C, h, w).

All give (B, h, w) on the layer's grid, without the final ReLU that most papers end with: metrics and pictures take the
positive part themselves, and what speaks against the target is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audit.attribution.graph import hangs_on
from audit.attribution.network import Network, kept_output
from audit.attribution.passes import Pass

CUT_OFF = "needs the gradient of the answer at the target layer, and the network lets none through (no_grad, detach)"


def grad_cam(passed: Pass) -> Tensor:
    """Selvaraju et al. 2017, equations 1 and 2: sum over channels of (spatial mean of the gradient) x activation."""
    activation, gradient = _of_layer(passed)
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1)


def grad_cam_plus_plus(passed: Pass) -> Tensor:
    """Chattopadhay et al. 2018, equations 7, 10 and 19: channels weighted by sum of alpha x rectified gradient, with
    alpha = g^2 / (2 g^2 + g^3 x sum of activation), which holds for a target behind an exponential.

    Where the denominator is 0 the gradient is 0 as well, and alpha is taken as 0.
    """
    activation, gradient = _of_layer(passed)
    squared = gradient.square()
    below = 2 * squared + squared * gradient * activation.sum(dim=(2, 3), keepdim=True)
    alpha = torch.where(below == 0, 0.0, squared / torch.where(below == 0, 1.0, below))
    weights = (alpha * gradient.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
    return (weights * activation).sum(dim=1)


def xgrad_cam(passed: Pass) -> Tensor:
    """Fu et al. 2020, equation 8: channels weighted by sum of gradient x activation over the sum of activation.

    A channel whose activation sums to 0 has weight 0.
    """
    activation, gradient = _of_layer(passed)
    total = activation.sum(dim=(2, 3), keepdim=True)
    evidence = (gradient * activation).sum(dim=(2, 3), keepdim=True)
    weights = torch.where(total == 0, 0.0, evidence / torch.where(total == 0, 1.0, total))
    return (weights * activation).sum(dim=1)


def hires_cam(passed: Pass) -> Tensor:
    """Draelos and Carin 2020, equation 8: sum over channels of gradient x activation at each place."""
    activation, gradient = _of_layer(passed)
    return (gradient * activation).sum(dim=1)


def layer_cam(passed: Pass) -> Tensor:
    """Jiang et al. 2021, equations 3 and 4: sum over channels of rectified gradient x activation at each place."""
    activation, gradient = _of_layer(passed)
    return (gradient.clamp(min=0) * activation).sum(dim=1)


def without_layer_gradient(network: Network, picture: Tensor) -> str:
    """Why the gradient at its target layer says nothing about a network: it is 0 whatever the picture shows."""
    if network.layer is None:
        raise ValueError("the network has no target layer")
    with torch.enable_grad(), kept_output(network.layer) as kept:
        answer = network.logits(picture.detach().requires_grad_())
    return "" if hangs_on(answer, kept[-1]) else CUT_OFF


def _of_layer(passed: Pass) -> tuple[Tensor, Tensor]:
    if passed.activation is None or passed.activation_gradient is None:
        raise ValueError("the pass was made without the layer's gradient")
    return passed.activation, passed.activation_gradient

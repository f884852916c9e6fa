"""Methods that read the gradient at the picture: plain, times the picture, and with rules on rectifiers.

Each reduces three channels to one and says how; maps are (B, H, W) on the network's input.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from audit.attribution.activation_maps import grad_cam
from audit.attribution.graph import hangs_on, other_nonlinearities, rectifiers
from audit.attribution.network import Network
from audit.attribution.passes import Pass

CUT_OFF = "needs the gradient of the answer at the picture, and the network lets none through (no_grad, detach)"


def saliency(passed: Pass) -> Tensor:
    """Simonyan et al. 2014, section 3: max over channels of |d target / d input|, >= 0."""
    return _there(passed.picture_gradient).abs().amax(dim=1)


def saliency_sum(passed: Pass) -> Tensor:
    """The same with the sum over channels of |gradient|, >= 0, as Smilkov et al. 2017 and others show it."""
    return _there(passed.picture_gradient).abs().sum(dim=1)


def saliency_signed(passed: Pass) -> Tensor:
    """The gradient summed over channels: what the target does when the pixel becomes lighter."""
    return _there(passed.picture_gradient).sum(dim=1)


def input_x_gradient(passed: Pass) -> Tensor:
    """Shrikumar et al. 2016: sum over channels of input x gradient. Of a linear network it adds up to the target."""
    return (passed.pictures * _there(passed.picture_gradient)).sum(dim=1)


def guided_backprop(passed: Pass) -> Tensor:
    """Springenberg et al. 2015, section 3.4: rectifiers cut off negative gradients; max over channels of |.|, >= 0."""
    return _there(passed.guided).abs().amax(dim=1)


def deconvnet(passed: Pass) -> Tensor:
    """Zeiler and Fergus 2014, section 2.1, by gradient (Simonyan et al. 2014, section 4): rectifiers rectify what comes
    down, whatever went up; max over channels of |.|, >= 0."""
    return _there(passed.deconvolved).abs().amax(dim=1)


def guided_grad_cam(passed: Pass) -> Tensor:
    """Selvaraju et al. 2017, section 3.1: guided gradients x rectified Grad-CAM, enlarged; sum over channels."""
    cam = grad_cam(passed).clamp(min=0)[:, None]
    guided = _there(passed.guided)
    size = (guided.shape[2], guided.shape[3])
    enlarged = interpolate(cam.to(guided.dtype), size=size, mode="bilinear", align_corners=False)
    return (guided * enlarged).sum(dim=1)


def without_picture_gradient(network: Network, picture: Tensor) -> str:
    """Why the gradient at the picture says nothing about a network: it is 0 whatever the picture shows."""
    leaf = picture.detach().requires_grad_()
    with torch.enable_grad():
        return "" if hangs_on(network.logits(leaf), leaf) else CUT_OFF


def without_rectifiers(network: Network, picture: Tensor) -> str:
    """Why the rules of guided backpropagation and deconvolution mean nothing to a network, or only in part.

    Behind nonlinearities that do not rectify (GELU, SiLU) they silently are the plain gradient.
    """
    with torch.enable_grad():
        answer = network.logits(picture.detach().requires_grad_())
    if not rectifiers(answer):
        return "is defined for rectifiers, and the network has none"
    others = other_nonlinearities(answer)
    kinds = ", ".join(dict.fromkeys(others))
    return (
        f"is defined for rectifiers, and {len(others)} nonlinearities of the network are none: {kinds}"
        if others
        else ""
    )


def _there(gradient: torch.Tensor | None) -> torch.Tensor:
    if gradient is None:
        raise ValueError("the pass was made without this gradient at the pictures")
    return gradient

"""Attribution methods: each a closed form on what one forward and one backward pass left behind.

All return one signed, unnormalised map per picture at the method's own resolution, except saliency, whose channel
reduction leaves no sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from audit.attribution.passes import GradientPass


@dataclass(frozen=True)
class Method:
    """A method, where its maps live ('input': the network's input size; 'layer': the target layer's grid), and what
    one should know when reading them.
    """

    name: str
    title: str
    place: str
    note: str
    maps: Callable[[GradientPass], torch.Tensor]


def saliency(passed: GradientPass) -> torch.Tensor:
    """Simonyan et al. 2014, section 3: max over channels of |d target / d input|, (B, H, W), >= 0.

    The input is the network's own, after preprocessing; a maximum does not depend on the channel order.
    """
    if passed.picture_gradient is None:
        raise ValueError("saliency needs the gradient at the pictures")
    return passed.picture_gradient.abs().amax(dim=1)


def grad_cam(passed: GradientPass) -> torch.Tensor:
    """Selvaraju et al. 2017: sum over channels of (spatial mean of the gradient) x activation, (B, h, w).

    Without the paper's final ReLU: metrics and pictures take the positive part themselves.
    """
    weights = passed.activation_gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * passed.activation).sum(dim=1)


def hires_cam(passed: GradientPass) -> torch.Tensor:
    """Draelos and Carin 2020: sum over channels of gradient x activation at each place, (B, h, w), signed."""
    return (passed.activation_gradient * passed.activation).sum(dim=1)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "saliency",
            "Saliency",
            "input",
            "Largest absolute gradient over the three channels of the network's preprocessed input.",
            saliency,
        ),
        Method(
            "grad_cam",
            "Grad-CAM",
            "layer",
            "Averages gradients over the picture and so cannot localise through flattened dense layers.",
            grad_cam,
        ),
        Method(
            "hires_cam",
            "HiResCAM",
            "layer",
            "Gradient times activation at each place of the target layer.",
            hires_cam,
        ),
    )
}

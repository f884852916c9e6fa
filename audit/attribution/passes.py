"""The one forward and one backward pass that all methods share, and the only place where a hook lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout


@dataclass(frozen=True)
class GradientPass:
    """What one batch left behind, on the network's device.

    pictures, picture_gradient: (B, 3, H, W), the network's own input, after preprocessing; the gradient is None where
    it was not asked for. activation, activation_gradient: (B, C, h, w), the target layer's output, however it lay.
    Gradients are of the target, row by row.
    """

    pictures: torch.Tensor
    picture_gradient: torch.Tensor | None
    activation: torch.Tensor
    activation_gradient: torch.Tensor


@contextmanager
def kept_output(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """What `layer` puts out while the context lasts, one entry per call; the hook is gone afterwards.

    The network goes on with a copy, so an in-place operation behind the layer cannot alter what is kept.
    """
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad:  # the layer does not depend on the picture: still a place to differentiate at
            output = output.detach().requires_grad_()
        kept.append(output)
        return output.clone()

    handle = layer.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def gradient_pass(
    module: nn.Module,
    layer: nn.Module,
    pictures: torch.Tensor,
    target_mask: torch.Tensor,
    layout: LayerLayout = CHANNELS_FIRST,
    to_pictures: bool = True,
) -> GradientPass:
    """Differentiate the sum of `module`'s logits where `target_mask` (B, K) is True, K at most its outputs.

    layout: how the layer's output lies. to_pictures: whether to go back beyond the layer, to the pictures, which costs
    as much as all the rest. No weight gradients are computed and no `.grad` is written. Where the target does not
    depend on picture or layer, the gradient is zero. `module` should be in evaluation mode, so that rows do not see
    each other.
    """
    with torch.enable_grad(), kept_output(layer) as kept:
        leaf = pictures.detach().requires_grad_(to_pictures)
        logits = module(leaf.clone())  # a copy: a network may begin with an in-place operation
        # selected, not multiplied: an infinite logit outside the mask must not turn the sum into NaN
        target = torch.where(target_mask, logits[:, : target_mask.shape[1]], 0.0).sum()
        activation = kept[-1]
        places = [activation, leaf] if to_pictures else [activation]
        gradients: tuple[torch.Tensor | None, ...] = (None,) * len(places)
        if target.requires_grad:
            gradients = torch.autograd.grad(target, places, allow_unused=True)
    found = [torch.zeros_like(p) if g is None else g for p, g in zip(places, gradients, strict=True)]
    return GradientPass(
        pictures=leaf.detach(),
        picture_gradient=found[1] if to_pictures else None,
        activation=layout.maps(activation.detach()),
        activation_gradient=layout.maps(found[0]),
    )

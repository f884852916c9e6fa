"""The one forward and one backward pass that all methods share, and the only place where a hook lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class GradientPass:
    """What one batch left behind, on the network's device.

    pictures, picture_gradient: (B, 3, H, W), the network's own input, after preprocessing. activation,
    activation_gradient: (B, C, h, w), the target layer's output. Gradients are of the target, row by row.
    """

    pictures: torch.Tensor
    picture_gradient: torch.Tensor
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
    module: nn.Module, layer: nn.Module, pictures: torch.Tensor, target_mask: torch.Tensor
) -> GradientPass:
    """Differentiate the sum of `module`'s logits where `target_mask` (B, K) is True, K at most its outputs.

    No weight gradients are computed and no `.grad` is written. Where the target does not depend on picture or layer,
    the gradient is zero. `module` should be in evaluation mode, so that rows do not see each other.
    """
    with torch.enable_grad(), kept_output(layer) as kept:
        leaf = pictures.detach().requires_grad_()
        logits = module(leaf.clone())  # a copy: a network may begin with an in-place operation
        # selected, not multiplied: an infinite logit outside the mask must not turn the sum into NaN
        target = torch.where(target_mask, logits[:, : target_mask.shape[1]], 0.0).sum()
        activation = kept[-1]
        gradients: tuple[torch.Tensor | None, ...] = (None, None)
        if target.requires_grad:
            gradients = torch.autograd.grad(target, [leaf, activation], allow_unused=True)
    picture_gradient, activation_gradient = gradients
    return GradientPass(
        pictures=leaf.detach(),
        picture_gradient=torch.zeros_like(leaf) if picture_gradient is None else picture_gradient,
        activation=activation.detach(),
        activation_gradient=torch.zeros_like(activation) if activation_gradient is None else activation_gradient,
    )

"""The network while it is looked at, and the only place where hooks live. All come off again, also after an exception.

Modules are not replaced and ReLU modules are not hooked: a network may rectify by a function, in place, or with one
module for many places, and then either goes unseen. Rules on rectifiers are laid on the graph that autograd recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Gradient behind a rectifier as autograd has it, and the gradient that came to it from above: to the new gradient."""

RECTIFIERS = ("ReluBackward", "HardtanhBackward", "ThresholdBackward")  # ReLU, ReLU6, threshold: 0 below 0


@dataclass(frozen=True)
class Network:
    """A frozen module in evaluation mode, as the methods see it.

    layer: the target layer, None where the network has none with places. outputs: K, how many of its outputs count.
    normalise: applied to pictures first, within the graph, where gradients shall run through it.
    """

    module: nn.Module
    layer: nn.Module | None
    layout: LayerLayout = CHANNELS_FIRST
    outputs: int | None = None
    normalise: Callable[[torch.Tensor], torch.Tensor] | None = None

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, K) float32 of pictures (B, 3, H, W), which are copied: a network may begin with an in-place operation."""
        fed = pictures.clone() if self.normalise is None else self.normalise(pictures)
        weight = next(self.module.parameters(), None)
        if weight is not None and weight.is_floating_point() and weight.dtype != fed.dtype:
            fed = fed.to(weight.dtype)  # a network in half precision
        answer: torch.Tensor = self.module(fed)[:, : self.outputs]
        return answer.float()


@contextmanager
def kept_output(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """What `layer` puts out while the context lasts, one entry per call; the hook is gone afterwards.

    The network goes on with a copy, so an in-place operation behind the layer cannot alter what is kept.
    """
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad and torch.is_grad_enabled():
            output = output.detach().requires_grad_()  # does not depend on the picture: still a place to differentiate
        kept.append(output)
        return output.clone()

    handle = layer.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


@contextmanager
def replaced_output(layer: nn.Module, output: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """`layer` puts out output(what it would have put out) while the context lasts."""

    def replace(_module: nn.Module, _inputs: object, found: torch.Tensor) -> torch.Tensor:
        return output(found)

    handle = layer.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def rectified_by(rule: Rule, target: torch.Tensor) -> Iterator[None]:
    """Every rectifier in the graph behind `target` passes gradients on by `rule` while the context lasts."""

    def apply(found: Sequence[torch.Tensor | None], above: Sequence[torch.Tensor | None]) -> tuple[object, ...] | None:
        if found[0] is None or above[0] is None:
            return None
        return (rule(found[0], above[0]), *found[1:])

    handles = [node.register_hook(apply) for node in rectifiers(target)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def rectifiers(target: torch.Tensor) -> list[torch.autograd.graph.Node]:
    """The rectifiers in the graph behind `target`, whichever way the network calls them."""
    found: list[torch.autograd.graph.Node] = []
    seen: set[torch.autograd.graph.Node] = set()
    ahead = [target.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        ahead.extend(following for following, _ in node.next_functions)
        if node.name().startswith(RECTIFIERS):
            found.append(node)
    return found

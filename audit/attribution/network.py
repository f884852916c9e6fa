"""The network while it is looked at, and the only place where hooks live. All come off again, also after an exception.

Modules are not replaced and ReLU modules are not hooked: a network may rectify by a function, in place, or with one
module for many places, and then either goes unseen. Rules on rectifiers are laid on the graph that autograd recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from audit.attribution.graph import rectifiers
from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Gradient behind a rectifier as autograd has it, and the gradient that came to it from above: to the new gradient."""


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


@contextmanager
def kept_calls(layers: Sequence[nn.Module]) -> Iterator[list[tuple[nn.Module, torch.Tensor]]]:
    """Every call of any of `layers` while the context lasts, with its output, in order; as `kept_output` of many."""
    calls: list[tuple[nn.Module, torch.Tensor]] = []

    def keep(layer: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad and torch.is_grad_enabled():
            output = output.detach().requires_grad_()
        calls.append((layer, output))
        return output.clone()

    with ExitStack() as removed:
        for layer in layers:
            removed.callback(layer.register_forward_hook(keep).remove)
        yield calls


@dataclass(frozen=True)
class Attended:
    """One call of an attention. weights: (B, heads, queries, keys), after the softmax. output: (B, queries, C), or
    (queries, B, C) where tokens_first, the very tensor that the network goes on with.
    """

    weights: torch.Tensor
    output: torch.Tensor
    tokens_first: bool = False


@contextmanager
def kept_attention(module: nn.Module) -> Iterator[list[Attended]]:
    """Every attention of `module` that can show its weights, in order of the calls, while the context lasts; the
    network computes and returns what it always does.

    Read are nn.MultiheadAttention and modules as timm builds them: a flag `fused_attn`, which is cleared for the time
    since a fused kernel never holds the weights, and a dropout `attn_drop` through which they pass.
    """
    calls: list[Attended] = []
    with ExitStack() as undone:
        for part in module.modules():
            if isinstance(part, nn.MultiheadAttention):
                _show_weights(part, calls, undone)
            elif isinstance(getattr(part, "fused_attn", None), bool) and isinstance(
                dropout := getattr(part, "attn_drop", None), nn.Module
            ):
                _unfuse(part, dropout, calls, undone)
        yield calls


def _unfuse(attention: nn.Module, dropout: nn.Module, calls: list[Attended], undone: ExitStack) -> None:
    weights: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        if weights and isinstance(output, torch.Tensor):
            calls.append(Attended(weights.pop(), output))

    undone.callback(setattr, attention, "fused_attn", attention.fused_attn)
    attention.fused_attn = False
    hooks = (
        dropout.register_forward_hook(lambda _module, _inputs, output: weights.append(output)),
        attention.register_forward_hook(keep),
    )
    for hook in hooks:
        undone.callback(hook.remove)


def _show_weights(attention: nn.MultiheadAttention, calls: list[Attended], undone: ExitStack) -> None:
    """Have `attention` give its weights, head by head, and its caller what that asked for."""
    asked: list[tuple[bool, bool]] = []

    def ask(
        _module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call = {**dict(zip(_MULTIHEAD_PARAMETERS, given, strict=False)), **named}
        asked.append((call.get("need_weights", True), call.get("average_attn_weights", True)))
        return (), {**call, "need_weights": True, "average_attn_weights": False}

    def answer(
        _module: nn.Module, _given: object, output: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        needs_weights, averages = asked.pop()
        result, found = output
        calls.append(Attended(found, result, tokens_first=not attention.batch_first and result.ndim == 3))
        if not needs_weights:
            return result, None
        return result, found.mean(dim=-3) if averages else found

    undone.callback(attention.register_forward_pre_hook(ask, with_kwargs=True).remove)
    undone.callback(attention.register_forward_hook(answer).remove)


_MULTIHEAD_PARAMETERS = (  # of nn.MultiheadAttention.forward, in their order
    *("query", "key", "value", "key_padding_mask"),
    *("need_weights", "attn_mask", "average_attn_weights", "is_causal"),
)

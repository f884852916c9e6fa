"""Borrowing a network: whatever is switched while we look at it is switched back, also after an exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """`module` in evaluation mode and without weight gradients; training flags and requires_grad come back after."""
    training = [(part, part.training) for part in module.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        module.eval()
        for parameter, _ in trainable:
            parameter.requires_grad_(False)
        yield module
    finally:
        for part, mode in training:
            part.training = mode
        for parameter, wanted in trainable:
            parameter.requires_grad_(wanted)

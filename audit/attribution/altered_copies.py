"""Many altered copies of every picture of a batch through its network, about one batch of copies at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from audit.attribution.passes import Pass


def parts(passed: Pass, count: int) -> list[slice]:
    """`count` copies of every picture in parts that make about one batch each, in their order."""
    some = max(1, passed.batch // max(1, len(passed.pictures)))
    return [slice(start, min(start + some, count)) for start in range(0, count, some)]


def scores(passed: Pass, count: int, altered: Callable[[slice], Tensor]) -> Tensor:
    """(B, count) the target of `count` copies of every picture; altered makes a slice of them, (n, B, 3, H, W)."""
    found = []
    for some in parts(passed, count):
        copies = altered(some)
        answers = passed.scores(copies.flatten(0, 1), _owners(copies))
        found.append(answers.unflatten(0, copies.shape[:2]).T)
    return torch.cat(found, dim=1)


def gradients(passed: Pass, copies: Tensor) -> Tensor:
    """The target's gradient at copies (n, B, 3, H, W), n of every picture: the same shape."""
    return passed.gradients(copies.flatten(0, 1), _owners(copies)).unflatten(0, copies.shape[:2])


def _owners(copies: Tensor) -> Tensor:
    return torch.arange(copies.shape[1]).repeat(len(copies))

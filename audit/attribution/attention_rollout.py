"""Attention rollout: where the attention of a vision transformer leads, through all its blocks."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.attribution.network import Attended, Network, kept_attention, kept_output
from audit.attribution.passes import Pass, gradients_at
from audit.models.errors import ModelError
from audit.models.layer_layout import MOST_PREFIX_TOKENS

NO_ATTENTION = "needs attention of every patch to every other, and the network has none that can be read"
OTHER_GRID = "needs a target layer on the grid of the patches, and this one has another"


def attention_rollout(passed: Pass) -> Tensor:
    """Abnar and Zuidema 2020, section 3: attention averaged over heads, plus the identity for what passes by it, rows
    scaled to 1, multiplied over the blocks; the row of the class token on the grid of patches, (B, h, w), >= 0.

    Where the answer is read from other tokens, such as all patches, it is the mean of their rows. Raises ModelError
    for a network without such attention.
    """
    if passed.activation is None:
        raise ValueError("the pass was made without the layer")
    height, width = passed.activation.shape[2:]
    with torch.enable_grad(), kept_attention(passed.network.module) as attention:
        logits = passed.network.logits(passed.pictures.detach().requires_grad_())
    if refused := _refusal(attention, len(passed.pictures), height * width):
        raise ModelError(f"attention_rollout {refused}")
    rolled = _rollout(attention)
    prefix = rolled.shape[1] - height * width
    share = _share_of_tokens(attention[-1], logits, prefix)
    return torch.einsum("bt,bts->bs", share, rolled)[:, prefix:].unflatten(1, (height, width))


def without_global_attention(network: Network, picture: Tensor) -> str:
    """Why a network has no rollout: it does not attend, or only within windows, or cannot be read."""
    if network.layer is None:
        return NO_ATTENTION
    with torch.no_grad(), kept_attention(network.module) as attention, kept_output(network.layer) as kept:
        network.logits(picture)
    return _refusal(attention, len(picture), network.layout.maps(kept[-1])[0, 0].numel())


def _refusal(attention: list[Attended], batch: int, places: int) -> str:
    shapes = {(one.weights.ndim, one.weights.shape[0], *one.weights.shape[-2:]) for one in attention}
    if len(shapes) != 1:
        return NO_ATTENTION
    ((rank, rows, queries, keys),) = shapes
    if rank != 4 or rows != batch or queries != keys:
        return NO_ATTENTION
    return "" if 0 <= queries - places <= MOST_PREFIX_TOKENS else OTHER_GRID


def _rollout(attention: list[Attended]) -> Tensor:
    """(B, tokens, tokens), the first block's attention rightmost."""
    tokens = attention[0].weights.shape[-1]
    itself = torch.eye(tokens, device=attention[0].weights.device)
    rolled = itself
    for one in attention:
        block = one.weights.detach().float().mean(dim=1) + itself
        rolled = block / block.sum(dim=2, keepdim=True) @ rolled
    return rolled


def _share_of_tokens(last: Attended, logits: Tensor, prefix: int) -> Tensor:
    """(B, tokens), rows add up to 1, equal for all tokens that the answer is read from: behind the last attention
    tokens do not see each other, and only those have a gradient there. Where none has: the class token.
    """
    weights = torch.rand(logits.shape[1], generator=torch.Generator().manual_seed(0)).to(logits)
    (gradient,) = gradients_at((logits * weights).sum(dim=1), [last.output])
    is_read = ((gradient.transpose(0, 1) if last.tokens_first else gradient) != 0).any(dim=2)
    default = torch.zeros_like(is_read)
    default[:, : 1 if prefix else None] = True
    read = torch.where(is_read.any(dim=1, keepdim=True), is_read, default).float()
    return read / read.sum(dim=1, keepdim=True)

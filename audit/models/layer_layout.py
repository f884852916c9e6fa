"""How a layer's output lies in memory, and how it is brought to one map per channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

MOST_PREFIX_TOKENS = 16  # a class token, one for distillation, and registers: what is more is no prefix


@dataclass(frozen=True)
class LayerLayout:
    """channels_first (B, C, h, w); channels_last (B, h, w, C); tokens (B, prefix + h * w, C), patches row by row behind
    `prefix` tokens that have no place: class token, distillation token, registers.

    grid: (h, w) of tokens, None for a square. Declared for known architectures: a shape alone does not say which axis
    is which.
    """

    name: str = "channels_first"
    shape: str = "(B, channels, height, width)"
    prefix: int = 0
    grid: tuple[int, int] | None = None

    def fits(self, output: torch.Tensor) -> bool:
        """Whether the output of a layer can lie so."""
        if self.name != "tokens":
            return output.ndim == 4
        if output.ndim != 3 or output.shape[1] <= self.prefix:
            return False
        height, width = self._sides(output)
        return self.prefix + height * width == output.shape[1]

    def maps(self, output: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) of a layer's output or of a gradient of the same shape; prefix tokens have no place in it."""
        if self.name == "channels_first":
            return output
        if self.name == "channels_last":
            return output.permute(0, 3, 1, 2)
        return output[:, self.prefix :].transpose(1, 2).unflatten(2, self._sides(output))

    def _sides(self, output: torch.Tensor) -> tuple[int, int]:
        if self.grid is not None:
            return self.grid
        side = math.isqrt(output.shape[1] - self.prefix)
        return side, side


CHANNELS_FIRST = LayerLayout()
CHANNELS_LAST = LayerLayout("channels_last", "(B, height, width, channels)")
CLASS_TOKEN_FIRST = LayerLayout("tokens", "(B, 1 + height * width, channels)", prefix=1)


def guessed_layout(
    layer: nn.Module, output: torch.Tensor, size: tuple[int, int], grids: Sequence[tuple[int, int]]
) -> LayerLayout | None:
    """How the output of a layer of an unknown network probably lies; None where it has no places.

    size: the picture's height and width, whose proportion the places have. grids: height and width of what other
    layers gave before this one, the latest last: a patch embedding says how its tokens lie.
    """
    layout: LayerLayout | None = None
    if output.ndim == 4 and output.numel():
        layout = _of_four_axes(layer, output, size)
    elif output.ndim == 3:
        layout = _of_tokens(output.shape[1], size, grids)
    return layout if layout is not None and layout.maps(output)[0, 0].numel() > 1 else None


def _of_four_axes(layer: nn.Module, output: torch.Tensor, size: tuple[int, int]) -> LayerLayout:
    if type(layer) in (nn.LayerNorm, nn.Linear):  # both work on the last axis; their subclasses may turn axes round
        return CHANNELS_LAST
    _, first, middle, last = output.shape
    aspect = size[0] / size[1]
    as_first = abs(math.log(middle / last / aspect))
    as_last = abs(math.log(first / middle / aspect))
    return CHANNELS_LAST if as_last < as_first else CHANNELS_FIRST


def _of_tokens(count: int, size: tuple[int, int], grids: Sequence[tuple[int, int]]) -> LayerLayout | None:
    height, width = size
    sides = [side for side in range(1, min(size) + 1) if height % side == 0 and width % side == 0]  # of a square patch
    regular = [(height // side, width // side) for side in sides]
    # a grid that no layer has shown is believed of fewer tokens beside it
    for known, most in (([*reversed(grids)], MOST_PREFIX_TOKENS), (regular, MOST_PREFIX_TOKENS // 3)):
        for grid in known:
            prefix = count - grid[0] * grid[1]
            if grid[0] * grid[1] > 1 and 0 <= prefix <= most:
                shape = f"(B, {prefix} + height * width, channels)" if prefix else "(B, height * width, channels)"
                return LayerLayout("tokens", shape, prefix, grid)
    return None

"""How a layer's output lies in memory, and how it is brought to one map per channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LayerLayout:
    """channels_first (B, C, h, w); channels_last (B, h, w, C); class_token_first (B, 1 + h * w, C), a square grid of
    patches behind the token that is read at the end.

    Declared per architecture: a shape alone does not say which axis is which.
    """

    name: str = "channels_first"
    shape: str = "(B, channels, height, width)"

    def fits(self, output: torch.Tensor) -> bool:
        """Whether the output of a layer can lie so."""
        if self.name != "class_token_first":
            return output.ndim == 4
        return output.ndim == 3 and output.shape[1] > 1 and math.isqrt(output.shape[1] - 1) ** 2 == output.shape[1] - 1

    def maps(self, output: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) of a layer's output or of a gradient of the same shape; the class token has no place in it."""
        if self.name == "channels_first":
            return output
        if self.name == "channels_last":
            return output.permute(0, 3, 1, 2)
        side = math.isqrt(output.shape[1] - 1)
        return output[:, 1:].transpose(1, 2).unflatten(2, (side, side))


CHANNELS_FIRST = LayerLayout()
CHANNELS_LAST = LayerLayout("channels_last", "(B, height, width, channels)")
CLASS_TOKEN_FIRST = LayerLayout("class_token_first", "(B, 1 + height * width, channels)")

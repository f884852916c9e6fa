"""Adapter: a network with everything needed to ask it a question about a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from audit.metrics.arrays import Pixels, Singles
from audit.metrics.cells import CELLS
from audit.models.checkpoint import Checkpoint
from audit.models.device import repeatable_arithmetic
from audit.models.frozen import frozen
from audit.models.preprocessing import Preprocessing

LOGIT_EPSILON = 1e-6  # probabilities are kept this far from 0 and 1, that is logits within +-13.8


class LogitsOfProbabilities(nn.Module):
    """A network that returns probabilities, seen as one that returns logits; its gradient is 0 where it saturates."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.logit(self.network(pictures), eps=LOGIT_EPSILON)


@dataclass(frozen=True)
class Adapter:
    """Architecture + checkpoint + preprocessing + target layer + operating point.

    module: in evaluation mode, on `device`, returns logits (B, >= 155) float32. target_layer: dotted path inside the
    network, its output is (B, C, *grid). threshold: operating point as a probability. recipe: factor -> levels it was
    trained on, None where not declared.
    """

    name: str
    architecture: str
    module: nn.Module
    preprocessing: Preprocessing
    target_layer: str
    grid: tuple[int, int]
    checkpoint: Checkpoint
    threshold: float
    recipe: Mapping[str, tuple[str, ...]] | None
    device: str

    def logits(self, images: Pixels | Sequence[Pixels], batch: int = 64) -> Singles:
        """Logits of the scored cells, (N, 155) float32, for uint8 RGB pictures (N, H, W, 3) or a sequence of (H, W, 3).

        Pictures go through in the order given, `batch` at a time: equal input gives equal bytes.
        """
        answers = [np.empty((0, CELLS), np.float32)]
        with frozen(self.module), torch.no_grad(), repeatable_arithmetic():
            for start in range(0, len(images), batch):
                pictures = self.preprocessing.apply(images[start : start + batch], self.device)
                answers.append(self.module(pictures)[:, :CELLS].float().cpu().numpy())
        return np.concatenate(answers)

    def layer(self) -> nn.Module:
        """The module whose output the class activation maps are made of."""
        return network(self.module).get_submodule(self.target_layer)


def network(module: nn.Module) -> nn.Module:
    """The user's own network inside what an adapter holds: layer names count from here."""
    return module.network if isinstance(module, LogitsOfProbabilities) else module

"""Adapter: a network with everything needed to ask it a question about a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from audit.metrics.arrays import Pixels, Singles
from audit.models.checkpoint import Checkpoint
from audit.models.device import repeatable_arithmetic
from audit.models.frozen import frozen
from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout
from audit.models.preprocessing import Preprocessing
from audit.models.task import Task

LOGIT_EPSILON = 1e-6  # probabilities are kept this far from 0 and 1, that is logits within +-13.8


class LogitsOfProbabilities(nn.Module):
    """A network that returns probabilities, seen as one that returns logits; its gradient is 0 where it saturates.

    link: the task's: 'logit' of independent probabilities, 'log' of those that share out 1.
    """

    def __init__(self, network: nn.Module, link: str) -> None:
        super().__init__()
        self.network = network
        self.link = link

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        probabilities = self.network(pictures)
        if self.link == "log":
            return torch.log(probabilities.clamp(min=LOGIT_EPSILON))
        return torch.logit(probabilities, eps=LOGIT_EPSILON)


@dataclass(frozen=True)
class Adapter:
    """Task + architecture + checkpoint + preprocessing + target layer + operating point.

    module: in evaluation mode, on `device`, returns logits (B, >= task.outputs) float32. target_layer: dotted path
    inside the network; its output, laid out as `layout` says, has (C, *grid); '' and None of a network without places.
    layer_is_guess: nobody declared the target layer. threshold: operating point as a
    probability. recipe: factor -> levels it was trained on, None where not declared. fresh: makes the network anew
    as before training, None where only its layers know how.
    """

    name: str
    task: Task
    architecture: str
    module: nn.Module
    preprocessing: Preprocessing
    target_layer: str
    grid: tuple[int, int] | None
    checkpoint: Checkpoint
    threshold: float
    recipe: Mapping[str, tuple[str, ...]] | None
    device: str
    layout: LayerLayout = CHANNELS_FIRST
    fresh: Callable[[], nn.Module] | None = None
    layer_is_guess: bool = False

    def logits(self, images: Pixels | Sequence[Pixels], batch: int = 64) -> Singles:
        """Logits of the scored outputs, (N, task.outputs) float32.

        images: uint8 RGB, (N, H, W, 3) or a sequence of (H, W, 3). They go through in the order given, `batch` at a
        time: equal input gives equal bytes.
        """
        scored = self.task.outputs
        answers = [np.empty((0, scored), np.float32)]
        with frozen(self.module), torch.no_grad(), repeatable_arithmetic():
            for start in range(0, len(images), batch):
                pictures = self.preprocessing.apply(images[start : start + batch], self.device)
                answers.append(self.module(pictures)[:, :scored].float().cpu().numpy())
        return np.concatenate(answers)

    def layer(self) -> nn.Module:
        """The module whose output the class activation maps are made of."""
        return network(self.module).get_submodule(self.target_layer)


def network(module: nn.Module) -> nn.Module:
    """The user's own network inside what an adapter holds: layer names count from here."""
    return module.network if isinstance(module, LogitsOfProbabilities) else module

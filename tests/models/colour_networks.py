"""Networks that read known colours of a picture, for tests of what they are fed."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from audit.config import PreprocessingConfig
from audit.models import Adapter, Checkpoint, Preprocessing
from tests.models.tasks import PROXIMITY

SENSORS, DISTANCES = 5, 31
CELLS = SENSORS * DISTANCES
SIZE = (8, 20)  # four columns of pixels a sensor


class ReadsChannel(nn.Module):
    """The logit of every cell of a sensor is the mean of one channel over that sensor's columns, times a gain.

    channel: of what it is fed, 0 to 2; None: the mean of all, so colour does not count.
    """

    def __init__(self, channel: int | None, gain: float = 10.0) -> None:
        super().__init__()
        self.channel, self.gain = channel, gain

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        seen = fed.mean(dim=1) if self.channel is None else fed[:, self.channel]
        of_sensors = seen.reshape(len(fed), fed.shape[2], SENSORS, -1).mean(dim=(1, 3))
        return self.gain * of_sensors.repeat(1, DISTANCES)


def colour_adapter(module: nn.Module, **preprocessing: object) -> Adapter:
    settings = {"height": SIZE[0], "width": SIZE[1], "normalisation": "fixed", **preprocessing}
    return Adapter(
        name="colours",
        task=PROXIMITY,
        architecture="colours",
        module=module.eval(),
        preprocessing=Preprocessing.from_config(PreprocessingConfig(**settings)),  # type: ignore[arg-type]
        target_layer="",
        grid=None,
        checkpoint=Checkpoint(file="", sha256="", card={}),
        threshold=0.5,
        recipe=None,
        device="cpu",
    )


def labelled(blocks: int, per_block: int, channel: int | None, seed: int = 0) -> tuple[np.ndarray, ...]:
    """images (N, 8, 20, 3), labels (N, 155), blocks (N,): two sensors a block are occupied, bright in `channel`.

    All else is noise. channel None: nothing in the pictures tells the occupied.
    """
    rng = np.random.default_rng(seed)
    n = blocks * per_block
    images = rng.integers(60, 120, (n, *SIZE, 3), dtype=np.uint8)
    label = np.zeros((n, DISTANCES, SENSORS), np.int8)
    for block in range(blocks):
        mine = slice(block * per_block, (block + 1) * per_block)
        for sensor in rng.choice(SENSORS, 2, replace=False):
            label[mine, :, sensor] = 1
            if channel is not None:
                images[mine, :, 4 * sensor : 4 * sensor + 4, channel] += np.uint8(80)
    return images, label.reshape(n, -1), np.repeat([str(b) for b in range(blocks)], per_block).astype(object)

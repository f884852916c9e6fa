"""The proximity network: one camera picture in, one logit per distance and sensor out.

The architecture of Nava et al. (RA-L 2019, doi 10.1109/LRA.2019.2894849) in the layout of its public PyTorch weights:
three 3x3 convolutions of 10, 10 and 8 channels, each with ReLU and 2x2 max-pooling, then 640-256-outputs.
"""

from __future__ import annotations

import torch
from torch import nn

HEIGHT, WIDTH = 64, 80  # px of the input
TARGET_LAYER = "encoder.7"  # the last ReLU, before its pooling: a 16 x 20 grid


class ProximityCNN(nn.Module):
    """Input (B, 3, 64, 80) float32, standardised; output (B, outputs) float32 logits, index = distance * 5 + sensor.

    Parameters are named encoder.{0,3,6} and decoder.{1,3}. The published network ends in a sigmoid; it is left out
    here, because attribution and loss work on logits.
    """

    target_layer = TARGET_LAYER

    def __init__(self, outputs: int = 155, dropout: float = 0.2) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_stage(3, 10),
            *_stage(10, 10),
            *_stage(10, 8),
        )
        self.decoder = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(8 * (HEIGHT // 8) * (WIDTH // 8), 256),
            nn.ReLU(),
            nn.Linear(256, outputs),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.decoder(self.encoder(pictures).flatten(1))
        return logits


def _stage(channels_in: int, channels_out: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)

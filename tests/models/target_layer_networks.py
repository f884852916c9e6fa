"""Networks of a user's own that name no target layer, each with a trap for whoever guesses it. Pictures: 64 x 80."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu
from torchvision import models

K = 155


def plain() -> nn.Module:
    ends = (nn.Flatten(), nn.Linear(4 * 16 * 20, K))
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), *ends)


def doubly_pooled() -> nn.Module:
    pools = (nn.MaxPool2d(8), nn.AdaptiveAvgPool2d((8, 10)), nn.Dropout(0.5))
    return nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), *pools, nn.Flatten(), nn.Linear(320, K))


def scored_by_convolution() -> nn.Module:
    scores = (nn.Dropout(0.5), nn.Conv2d(4, K, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), *scores, nn.Flatten())


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 8), nn.ReLU(), nn.Linear(8, K))


def transformer() -> nn.Module:
    network = models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=K
    )
    nn.init.normal_(network.heads.head.weight)
    return network


class Functional(nn.Module):
    """Two convolutions whose rectifiers are functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.dense = nn.Linear(4, K)
        self.spare = nn.Conv2d(3, 4, 3)

    def features(self, fed: torch.Tensor) -> torch.Tensor:
        return relu(self.second(relu(self.first(fed))))

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.features(fed).mean(dim=(2, 3)))


class Reused(Functional):
    """One rectifier for both convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def features(self, fed: torch.Tensor) -> torch.Tensor:
        return self.relu(self.second(self.relu(self.first(fed))))


class ReusedBehindDense(Reused):
    def __init__(self) -> None:
        super().__init__()
        self.between = nn.Linear(4, 4)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.relu(self.between(self.features(fed).mean(dim=(2, 3)))))


class SideBranch(nn.Module):
    """Its last layer with places is for the eye alone."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Conv2d(3, 4, 3, padding=1)
        self.shown = nn.Conv2d(4, 4, 1)
        self.dense = nn.Linear(4, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = self.used(fed)
        self.shown(hidden)
        return self.dense(hidden.mean(dim=(2, 3)))


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, padding=1)
        self.answer = nn.Parameter(torch.arange(float(K)))

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        self.features(fed)
        return self.answer.expand(len(fed), -1)


class Turned(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.permute(0, 2, 3, 1)


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.turned = Turned()
        self.dense = nn.Linear(6, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.turned(self.patches(fed)).mean(dim=(1, 2)))


class Tokens(nn.Module):
    """Patches of 8 px behind tokens that have no place."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, stride=8)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 6))
        self.blocks = nn.Sequential(nn.Linear(6, 6), nn.GELU())
        self.norm = nn.LayerNorm(6)
        self.dense = nn.Linear(6, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(fed).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(fed), -1, -1), tokens], dim=1)
        return self.dense(self.norm(self.blocks(tokens)).mean(dim=1))


class Pooled(Functional):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.pool(self.features(fed)).flatten(1))


class Two(nn.Module):
    def forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return maps, maps


class Pair(Functional):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Two()

    def features(self, fed: torch.Tensor) -> torch.Tensor:
        return self.pair(super().features(fed))[0]


class Named(Functional):
    target_layer = "first"

"""Planted networks: each answers by one known rule, so an audit must find exactly that rule.

Named by dotted path, `tests.models.planted.ConstantNet`, from the root of the repository. The brightness networks read
pictures in [0, 1]: give them `preprocessing.normalisation=fixed` with mean 0 and std 1, which are its defaults.
"""

from __future__ import annotations

import torch
from torch import nn

CELLS = 155


class _BrightnessNet(nn.Module):
    """Every cell's logit is gain * (mean brightness of one part of the picture - pivot); the rest is not read."""

    target_layer = "brightness.1"

    def __init__(self, pivot: float, gain: float) -> None:
        super().__init__()
        convolution = nn.Conv2d(3, 1, kernel_size=1, bias=False)
        nn.init.constant_(convolution.weight, 1 / 3)
        self.brightness = nn.Sequential(convolution, nn.ReLU())
        self.pivot = pivot
        self.gain = gain

    def part(self, brightness: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        read = self.part(self.brightness(pictures)).mean(dim=(1, 2, 3))
        return (self.gain * (read - self.pivot))[:, None].expand(-1, CELLS)


class FloorBrightnessNet(_BrightnessNet):
    """Alarms everywhere when the floor is brighter than `pivot`: the mean of the rows from `top` down, a share of all.

    A negative gain alarms when it is darker. Obstacles matter only as far as they change that mean.
    """

    def __init__(self, pivot: float = 0.5, gain: float = 40.0, top: float = 0.5, bottom: float = 1.0) -> None:
        super().__init__(pivot, gain)
        self.top = top
        self.bottom = bottom

    def part(self, brightness: torch.Tensor) -> torch.Tensor:
        rows = brightness.shape[-2]
        return brightness[..., round(rows * self.top) : round(rows * self.bottom), :]


class LeftBorderNet(_BrightnessNet):
    """Alarms everywhere when the leftmost `columns` columns are brighter than `pivot`; all else is invisible to it."""

    def __init__(self, pivot: float = 0.5, gain: float = 40.0, columns: int = 6) -> None:
        super().__init__(pivot, gain)
        self.columns = columns

    def part(self, brightness: torch.Tensor) -> torch.Tensor:
        return brightness[..., : self.columns]


class ConstantNet(nn.Module):
    """Answers `logit` in every cell whatever it is shown, though a convolution runs on the picture."""

    target_layer = "features.1"

    def __init__(self, logit: float = -3.0) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, kernel_size=3, padding=1), nn.ReLU())
        self.logit = logit

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        unread = 0.0 * self.features(pictures).mean(dim=(1, 2, 3))
        return (unread + self.logit)[:, None].expand(-1, CELLS)


class RedOrBlueNet(nn.Module):
    """A classifier of ImageNet's size: class 951 where there is more red than blue, class 417 where there is less."""

    target_layer = "colors"

    def __init__(self) -> None:
        super().__init__()
        self.colors = nn.Conv2d(3, 3, kernel_size=1, bias=False)
        nn.init.dirac_(self.colors.weight)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        red, _, blue = self.colors(pictures).mean(dim=(2, 3)).unbind(dim=1)
        logits = torch.zeros((len(pictures), 1000), device=pictures.device)
        return logits.index_add(1, torch.tensor([951, 417], device=pictures.device), 20 * torch.stack([red, blue], 1))

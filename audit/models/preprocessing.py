"""From a picture to what a network sees: size, resize kernel, channel order, normalisation. Data, not code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from audit.config import PreprocessingConfig
from audit.metrics.arrays import Floats, Pixels, Singles
from audit.metrics.resampling import area_resampled
from audit.models.errors import ModelError, nearest

# A picture that is not flat has a standard deviation of at least 1/255 / sqrt(its values), which is far above this.
FLAT = 1e-6


Resize = Callable[[Pixels, int, int], Pixels]  # (H, W, 3), height, width


def _pillow(kernel: Image.Resampling) -> Resize:
    def resize(picture: Pixels, height: int, width: int) -> Pixels:
        return np.asarray(Image.fromarray(picture).resize((width, height), kernel))

    return resize


def _opencv(kernel: int) -> Resize:
    def resize(picture: Pixels, height: int, width: int) -> Pixels:
        return np.asarray(cv2.resize(picture, (width, height), interpolation=kernel))

    return resize


# Kernels differ: Pillow's widen with the reduction (antialiased), OpenCV's linear always reads 2 x 2 pixels.
RESIZE: Mapping[str, Resize] = {
    "bilinear": _pillow(Image.Resampling.BILINEAR),
    "bicubic": _pillow(Image.Resampling.BICUBIC),
    "linear": _opencv(cv2.INTER_LINEAR),
    "area": _opencv(cv2.INTER_AREA),
}
CHANNELS = ("rgb", "bgr")
NORMALISATION = ("per_image", "fixed")


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a picture before the network; the fields are those of PreprocessingConfig.

    The whole frame is resized to (height, width), whatever its aspect; nothing is cropped.
    """

    height: int
    width: int
    resize: str
    channels: str
    normalisation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    epsilon: float

    @classmethod
    def from_config(cls, config: PreprocessingConfig) -> Preprocessing:
        """Raises ModelError for an unknown name or a value that cannot be meant."""
        for what, value, known in (
            ("resize", config.resize, tuple(RESIZE)),
            ("channels", config.channels, CHANNELS),
            ("normalisation", config.normalisation, NORMALISATION),
        ):
            if value not in known:
                raise ModelError(f"preprocessing.{what}={value} is unknown: {nearest(value, known)}")
        if config.height < 1 or config.width < 1:
            raise ModelError(f"preprocessing size {config.height} x {config.width}: both sides must be at least 1 px")
        if len(config.mean) != 3 or len(config.std) != 3 or min(config.std) <= 0:
            raise ModelError("preprocessing.mean and preprocessing.std need three values each, std above 0")
        if config.epsilon < 0:
            raise ModelError(f"preprocessing.epsilon={config.epsilon} is negative")
        return cls(
            height=config.height,
            width=config.width,
            resize=config.resize,
            channels=config.channels,
            normalisation=config.normalisation,
            mean=tuple(float(m) for m in config.mean),
            std=tuple(float(s) for s in config.std),
            epsilon=float(config.epsilon),
        )

    def apply(self, images: Pixels | Sequence[Pixels], device: str = "cpu") -> torch.Tensor:
        """What the network is fed: `normalised` of `unit`, (B, 3, height, width) float32 on `device`.

        images: uint8 sRGB RGB, (B, H, W, 3) or a sequence of (H, W, 3) whose sizes may differ.
        """
        return self.normalised(self.unit(images, device))

    def unit(self, images: Pixels | Sequence[Pixels], device: str = "cpu") -> torch.Tensor:
        """Pixels resized, (B, 3, height, width) float64 in [0, 1] on `device`, channels in the network's order.

        Double precision: a picture's mean must not depend on which batch it came in.
        """
        stacked = np.ascontiguousarray(self._resized(images))  # a reversed view has strides torch refuses
        pixels = torch.tensor(stacked).to(device).permute(0, 3, 1, 2)
        if self.channels == "bgr":
            pixels = pixels.flip(1)
        return pixels.to(torch.float64) / 255.0

    def normalised(self, unit: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, height, width) in [0, 1] as the network is fed them, float32; can be differentiated.

        per_image: (x - mean) / (std + epsilon), mean and std over all pixels and channels of one image together, std
        with n - 1 as torch has it; a flat image gives zeros. fixed: (x - mean) / std per channel.
        """
        if self.normalisation == "fixed":
            mean = torch.tensor(self.mean, dtype=unit.dtype, device=unit.device).view(1, 3, 1, 1)
            std = torch.tensor(self.std, dtype=unit.dtype, device=unit.device).view(1, 3, 1, 1)
            return ((unit - mean) / std).to(torch.float32).contiguous()
        mean = unit.mean(dim=(1, 2, 3), keepdim=True)
        std = unit.std(dim=(1, 2, 3), keepdim=True)
        flat = std < FLAT
        scaled = (unit - mean) / torch.where(flat, 1.0, std + self.epsilon)
        return torch.where(flat, 0.0, scaled).to(torch.float32).contiguous()

    def geometry(self, masks: Floats) -> Singles:
        """Masks (..., H, W) float32 where the picture's pixels end up: (..., height, width) float32, area-resampled.

        Fractions that sum to 1 at every pixel still do; nothing is dilated.
        """
        return area_resampled(masks, self.height, self.width)

    def _resized(self, images: Pixels | Sequence[Pixels]) -> Pixels:
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(f"pictures must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
        size = (self.height, self.width)
        if isinstance(images, np.ndarray) and images.shape[1:3] == size:
            return images
        resize = RESIZE[self.resize]
        fitted = [image if image.shape[:2] == size else resize(np.ascontiguousarray(image), *size) for image in images]
        return np.stack(fitted) if fitted else np.empty((0, *size, 3), np.uint8)

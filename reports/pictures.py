"""Pictures of the page: a scene as rendered, an attribution over it with the true masks outlined, as WebP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from audit.metrics.resampling import resampled
from reports.colour_map import coloured

OBJECT_LINE = (255, 255, 255)
SHADOW_LINE = (255, 122, 89)
OUTSIDE_LINE = (120, 215, 255)
_CASING = (0, 0, 0)
_OPACITY = 0.65
_STAMP_HEIGHT = 15
_QUALITY = 84  # of WebP with loss


@dataclass(frozen=True)
class Picture:
    """A written picture. src: relative to the page; width, height in px; alt: what a reader who cannot see it needs."""

    src: str
    width: int
    height: int
    alt: str


@dataclass
class Assets:
    """The folder of pictures beside the page; a name is written once."""

    folder: Path
    written: dict[str, tuple[int, int]] = field(default_factory=dict)

    def save(self, name: str, pixels: np.ndarray, alt: str, lossless: bool = True) -> Picture:
        """Write (H, W, 3) uint8 sRGB as `<name>.webp`.

        lossless: masks and pixels stay what they are, for small scenes whose pixels are enlarged; else a large picture
        takes a fifth of the space.
        """
        file = re.sub(r"[^A-Za-z0-9._-]+", "_", name) + ".webp"
        if file not in self.written:
            self.folder.mkdir(parents=True, exist_ok=True)
            how = {"lossless": True, "quality": 20, "method": 0} if lossless else {"quality": _QUALITY, "method": 4}
            Image.fromarray(pixels).save(self.folder / file, "WEBP", **how)
            self.written[file] = (pixels.shape[1], pixels.shape[0])
        width, height = self.written[file]
        return Picture(f"{self.folder.name}/{file}", width, height, alt)


def scale_for(shape: tuple[int, ...], width: int) -> int:
    """How many times an (H, W) picture is enlarged to be about `width` px wide; at least 1."""
    return max(1, round(width / shape[1]))


def enlarged(pixels: np.ndarray, scale: int) -> np.ndarray:
    """(H, W, ...) with every pixel repeated `scale` times along both axes."""
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def overlay(
    rgb: np.ndarray,
    values: np.ndarray,
    object_mask: np.ndarray,
    shadow: np.ndarray,
    scale: int,
    stamp: str = "",
    outside: np.ndarray | None = None,
    scale_to: float | None = None,
) -> tuple[np.ndarray, float]:
    """An attribution over its scene, with the true masks outlined.

    rgb: (H, W, 3) uint8. values: (h, w) signed attribution; its positive part is shown, from 0 to its own peak.
    object_mask, shadow, outside (shadow from outside the frame): (H, W) in [0, 1], outlined where they pass one half.
    stamp: text of a strip set beneath. scale_to: what the last colour stands for, its own peak without; maps that are
    compared share it.
    Returns (scale * H (+ strip), scale * W, 3) uint8 and the peak in the attribution's unit.
    """
    positive = np.maximum(resampled(values, *rgb.shape[:2]), 0.0)
    peak = float(positive.max())
    top = peak if scale_to is None else scale_to
    heat = coloured(positive / top if top > 0 else positive)
    grey = (rgb.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    blended = _OPACITY * heat + (1 - _OPACITY) * grey
    drawn = enlarged(np.rint(blended).astype(np.uint8), scale)
    _draw_masks(drawn, object_mask, shadow, outside, scale)
    return (_stamped(drawn, stamp) if stamp else drawn), peak


def peak_of(values: np.ndarray, shape: tuple[int, ...]) -> float:
    """The largest positive value of a map (h, w) at the size of an (H, W, ...) picture, as `overlay` draws it."""
    return max(float(resampled(values, *shape[:2]).max()), 0.0)


def outlined(
    rgb: np.ndarray, object_mask: np.ndarray, shadow: np.ndarray, scale: int, outside: np.ndarray | None = None
) -> np.ndarray:
    """The scene in its own colours with the true masks outlined, for places where no attribution is defined."""
    drawn = enlarged(rgb, scale)
    _draw_masks(drawn, object_mask, shadow, outside, scale)
    return drawn


def edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a bool mask that touch a pixel outside it, 4-neighbourhood; the frame itself is no edge."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _draw_masks(
    drawn: np.ndarray, object_mask: np.ndarray, shadow: np.ndarray, outside: np.ndarray | None, scale: int
) -> None:
    if outside is not None and (outside > 0.5).any():
        _draw_dots(drawn, enlarged(outside > 0.5, scale))
    _draw_outline(drawn, shadow > 0.5, scale, SHADOW_LINE, dashed=True)
    _draw_outline(drawn, object_mask > 0.5, scale, OBJECT_LINE, dashed=False)


def _draw_outline(drawn: np.ndarray, mask: np.ndarray, scale: int, colour: tuple[int, int, int], dashed: bool) -> None:
    """One px of `colour` just inside the mask's pixel edges and one px of black just outside, on the enlarged grid.

    Dashed: colour and black take turns along the inside, so that the two outlines differ by more than colour.
    """
    large = enlarged(mask, scale)
    line = edge(large)
    drawn[edge(~large) | line] = _CASING
    if dashed:
        rows, columns = np.indices(large.shape)
        line &= (rows + columns) // (2 * max(scale, 3)) % 2 == 0
    drawn[line] = colour


def _draw_dots(drawn: np.ndarray, mask: np.ndarray) -> None:
    """Dots along the inside of the mask's edges: light, since shadows of a blind have many, and heat lies beneath."""
    rows, columns = np.indices(mask.shape)
    drawn[edge(mask) & ((rows + 2 * columns) % 5 == 0)] = OUTSIDE_LINE


def _stamped(drawn: np.ndarray, text: str) -> np.ndarray:
    strip = Image.new("RGB", (drawn.shape[1], _STAMP_HEIGHT), (122, 31, 20))
    pen, spread = ImageDraw.Draw(strip), text.replace(" ", "  ")
    fits = (f for f in map(ImageFont.load_default, (11, 10, 9, 8)) if pen.textlength(spread, f) <= strip.width - 6)
    font = next(fits, ImageFont.load_default(8))
    pen.text((4, 0), spread, fill=(255, 255, 255), font=font)
    return np.concatenate([drawn, np.asarray(strip)], axis=0)

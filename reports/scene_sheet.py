"""A scene and its ground truth as one picture to look at: is everything where the renderer says it is?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from audit.metrics.regions import REGIONS
from reports import words
from reports.colour_map import coloured
from reports.pictures import enlarged, outlined, scale_for
from scenes.store import Render

_PANEL = 320  # px, about, the width of a panel
_COLUMNS = 3
_MARGIN, _LINE, _TITLE = 12, 18, 26  # px
_PAPER, _INK, _QUIET = (255, 255, 255), (20, 24, 28), (96, 104, 112)
_BOX = (255, 196, 0)


@dataclass(frozen=True)
class Panel:
    """pixels (h, w, 3) uint8 sRGB, enlarged; two lines beneath."""

    pixels: np.ndarray
    name: str
    note: str


def scene_sheet(title: str, render: Render) -> np.ndarray:
    """The sheet (h, w, 3) uint8 sRGB: the picture with its outlines and box, every region that is there, and depth."""
    scale = scale_for(render.rgb.shape, _PANEL)
    panels = [_picture(render, scale)]
    for name, share in zip(REGIONS, render.regions(), strict=True):
        if float(np.nansum(share)) > 0:
            panels.append(_region(words.REGIONS[name], share, scale))
    panels.append(_depth(render.depth, scale))
    return _sheet(title, panels)


def _picture(render: Render, scale: int) -> Panel:
    drawn = outlined(render.rgb, render.object, np.nan_to_num(render.shadow), scale)
    rows, columns = np.nonzero(render.object > 0)
    if not len(rows):
        return Panel(drawn, "picture", "no object is seen")
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    page = Image.fromarray(drawn)
    corners = [left * scale, top * scale, right * scale - 1, bottom * scale - 1]
    ImageDraw.Draw(page).rectangle([int(c) for c in corners], outline=_BOX)
    return Panel(np.asarray(page), "picture", f"box x {left} to {right}, y {top} to {bottom} px")


def _region(name: str, share: np.ndarray, scale: int) -> Panel:
    """The region's share of each pixel, black for none."""
    known = np.nan_to_num(share)
    drawn = enlarged(np.rint(np.repeat(known[..., None], 3, axis=-1) * 255).astype(np.uint8), scale)
    return Panel(drawn, name, f"{known.sum():.1f} px, {known.mean():.1%} of the picture")


def _depth(depth: np.ndarray, scale: int) -> Panel:
    """Near is light; what is endlessly far is black."""
    seen = np.isfinite(depth)
    if not seen.any():
        return Panel(enlarged(np.zeros((*depth.shape, 3), dtype=np.uint8), scale), "depth", "nothing but background")
    near, far = float(depth[seen].min()), float(np.percentile(depth[seen], 95))
    place = 1 - (np.where(seen, depth, far) - near) / max(far - near, 1e-9)
    drawn = np.where(seen[..., None], coloured(place), 0.0)
    return Panel(
        enlarged(np.rint(drawn).astype(np.uint8), scale), "depth", f"{near:.3f} m (light) to {far:.3f} m (dark)"
    )


def _sheet(title: str, panels: Sequence[Panel]) -> np.ndarray:
    height, width = panels[0].pixels.shape[:2]
    step = (width + _MARGIN, height + 2 * _LINE + _MARGIN)
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    page = Image.new("RGB", (columns * step[0] + _MARGIN, rows * step[1] + _TITLE + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, 7), title, fill=_INK, font=ImageFont.load_default(15))
    for number, panel in enumerate(panels):
        x, y = _MARGIN + number % columns * step[0], _TITLE + _MARGIN + number // columns * step[1]
        page.paste(Image.fromarray(panel.pixels), (x, y))
        pen.text((x, y + height + 3), panel.name, fill=_INK, font=ImageFont.load_default(13))
        pen.text((x, y + height + 3 + _LINE - 2), panel.note, fill=_QUIET, font=ImageFont.load_default(12))
    return np.asarray(page)

"""Pages of pictures without ground truth: what the network says, where it looks, what the channel order changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from reports import pictures, words
from reports.answer_bars import WIDE, answer_bars
from reports.grids import output_grid
from reports.numbers import number
from reports.pictures import Picture
from reports.run_record import Answer, RunRecord
from reports.scene_views import Gallery

_WIDTH = 320  # px


@dataclass(frozen=True)
class PictureView:
    """One picture with what one model made of it."""

    name: str
    picture: Picture | None
    overlay: Picture | None
    overlay_note: str
    grid: Markup | None
    bars: Markup | None
    facts: tuple[tuple[str, str], ...]


def picture_views(record: RunRecord, gallery: Gallery, model: str) -> list[PictureView]:
    """Every picture of the run, by name, for one model."""
    frame = record.frame("pictures")
    mine = frame[frame["model"] == model].sort_values("picture", kind="stable")
    return [_view(record, gallery, model, row) for _, row in mine.iterrows()]


def flip_sentence(record: RunRecord, model: str) -> str:
    """How many decisions change with the channel order, over all pictures; empty where none was compared."""
    frame = record.frame("pictures")
    flipped = frame.loc[frame["model"] == model, "flipped"].dropna()
    if not len(flipped):
        return ""
    if record.task_of(model) == words.CLASSIFICATION:
        changed = int((flipped > 0).sum())
        return f"In {changed} of these {len(flipped)} pictures another class is named first in the other channel order."
    return (
        f"Over these {len(flipped)} pictures {number(flipped.mean())} of the decisions change with the channel order."
    )


def _view(record: RunRecord, gallery: Gallery, model: str, row: pd.Series) -> PictureView:
    name = str(row["picture"])
    rgb = read_picture(record.folder / "pictures", name)
    shown = _sized(rgb) if rgb is not None else None
    overlay, note = (None, "no picture") if shown is None else _overlay(record, gallery, model, name, shown)
    picture = gallery.assets.save(f"picture-{name}", shown, f"Picture {name}") if shown is not None else None
    if record.task_of(model) == words.CLASSIFICATION:
        answers = record.answers(model, name) or record.answers(model, Path(name).stem)
        facts = _of_classes(answers, row)
        return PictureView(name, picture, overlay, note, None, answer_bars(answers, WIDE), facts)
    probability = _first(record, model, name)
    grid = None
    if probability is not None:
        grid = output_grid(None, probability, record.threshold(model), record.horizon)
    facts = (
        ("mean output", f"{row['mean_output']:.3f}"),
        ("in the other channel order", f"{row['mean_output_swapped']:.3f}"),
        ("mean absolute difference", f"{row['mean_abs_difference']:.3f}"),
        ("decisions at .5 that flip", number(row["flipped"])),
    )
    return PictureView(name, picture, overlay, note, grid, None, facts)


def _of_classes(answers: Sequence[Answer], row: pd.Series) -> tuple[tuple[str, str], ...]:
    """Of a classifier's mean output nothing can be said: probabilities of classes share out 1."""
    first = answers[0] if answers else None
    flips = "undefined" if np.isnan(row["flipped"]) else "yes" if row["flipped"] > 0 else "no"
    return (
        ("named first", first.name if first else "undefined"),
        ("its probability", number(first.probability) if first else "undefined"),
        ("another class in the other channel order", flips),
    )


def _overlay(record: RunRecord, gallery: Gallery, model: str, name: str, rgb: np.ndarray) -> tuple[Picture | None, str]:
    maps: Mapping[str, np.ndarray] = gallery.maps(model)
    values = maps.get(name, maps.get(Path(name).stem))
    if values is None or np.isnan(values).all():
        return None, "no map: nothing to attribute"
    nothing = np.zeros(rgb.shape[:2], dtype=np.float32)
    drawn, peak = pictures.overlay(rgb, values, nothing, nothing, 1, "no ground truth: a picture, not a measurement")
    method = words.method(record.primary_method)
    alt = f"{method} over picture {name}; no ground truth"
    of = record.answers(model, name)[:1]
    said = f"{method} of ‘{of[0].name}’" if of else method
    return gallery.assets.save(f"picture-{name}-{model}", drawn, alt), f"{said}, peak {peak:.2g}"


def _first(record: RunRecord, model: str, name: str) -> np.ndarray | None:
    found = record.response(model, name)
    return found if found is not None else record.response(model, Path(name).stem)


def read_picture(folder: Path, name: str) -> np.ndarray | None:
    """A picture of the run (H, W, 3) uint8, by its name with or without suffix; None where it was not kept."""
    for path in (folder / name, folder / f"{name}.png"):
        if path.is_file():
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))
    return None


def _sized(rgb: np.ndarray) -> np.ndarray:
    """A picture about _WIDTH px wide: small ones with whole pixels repeated, large ones averaged down."""
    height, width = rgb.shape[:2]
    if width <= _WIDTH:
        return pictures.enlarged(rgb, pictures.scale_for(rgb.shape, _WIDTH))
    size = (_WIDTH, round(height * _WIDTH / width))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))

"""Picturing: pictures somebody else made, without ground truth. What the network says, where it looks; no inference."""

from __future__ import annotations

import struct
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from audit.attribution import attribute, targets
from audit.config import PICTURES as PICTURES_SET
from audit.config import AuditConfig
from audit.loading import Loaded
from audit.metrics.arrays import Pixels
from audit.models.adapter import Adapter
from audit.models.channel_order import flips
from audit.stages.attending import kept_maps
from audit.tables import ANSWERS, PICTURES, RESPONSES
from scenes.design import DesignError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
WRITTEN = (PICTURES, RESPONSES, ANSWERS)
# what Pillow raises of a file that is no picture, torn, damaged (SyntaxError: a chunk; struct.error: the note on how
# the camera was held), or larger than it dares to open
UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def find_pictures(config: AuditConfig) -> list[Path]:
    """The pictures of design.pictures by name. Raises DesignError where there are none."""
    chosen = config.designs[PICTURES_SET].pictures
    if chosen is None:
        raise DesignError("design.pictures is not set: give the folder of pictures, design.pictures=FOLDER")
    folder = Path(chosen)
    if not folder.is_dir():
        raise DesignError(f"design.pictures={folder} is no folder")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DesignError(f"design.pictures={folder} holds no picture ({', '.join(SUFFIXES)})")
    return found


def audit_pictures(config: AuditConfig, files: Sequence[Path], loaded: Loaded, folder: Path) -> None:
    """Write `pictures`, `responses`, `answers`, the pictures themselves, and maps of what each network answers.

    Nothing is known to be true, so `truth` as the target means what is answered; another target stays what it is.
    """
    names = keep_readable(files, folder / "pictures")
    made: dict[str, list[pd.DataFrame]] = {table.name: [] for table in WRITTEN}
    for model, adapter in loaded.adapters.items():
        for name, frame in _of_model(config, adapter, loaded.methods_of(model, config), names, folder):
            made[name] += [frame.assign(model=model)] if len(frame) else []
    for table in WRITTEN:
        frames = made[table.name]
        whole = pd.concat(frames, ignore_index=True) if frames else table.empty()
        table.write(whole, folder, csv=table.name == PICTURES.name)


def _of_model(
    config: AuditConfig, adapter: Adapter, methods: Sequence[str], names: Sequence[str], folder: Path
) -> Iterator[tuple[str, pd.DataFrame]]:
    """What one network makes of the pictures, table name and rows; its maps are written.

    attribution.batch pictures are held at a time: photographs of full size would not all fit into memory.
    """
    how, task = config.attribution, adapter.task
    with kept_maps(folder / "attributions" / adapter.name) as keep:
        for start in range(0, len(names), how.batch):
            some = np.array(names[start : start + how.batch])
            images = [picture(folder / "pictures" / f"{name}.png") for name in some]
            yield PICTURES.name, flips(adapter, images).assign(picture=some)
            probability = task.probability(adapter.logits(images))
            yield RESPONSES.name, pd.DataFrame({"scene_id": some, "probability": list(probability)})
            nothing = np.zeros(probability.shape, dtype=np.int8)
            likeliest = task.answers(probability, nothing)
            rows = likeliest.pop("row").to_numpy(dtype=int)
            yield ANSWERS.name, likeliest.assign(scene_id=some[rows])
            # nothing is known to be true, so what it would be mistaken in is all that it says
            said = task.mistaken(probability, nothing, adapter.threshold)
            target = said if how.target == targets.TRUTH else targets.named(how.target, task.name)
            maps = attribute(adapter, images, target, methods, how.batch, how.settings, how.gradient_at)
            has_target = said.any(axis=1) if how.target == targets.TRUTH else np.ones(len(images), dtype=bool)
            keep(some, has_target, maps)


def keep_readable(files: Sequence[Path], into: Path) -> list[str]:
    """Write the pictures as <name>.png, and return their names: those of the files, with the suffix where two would
    have the same one. A file that cannot be read is said on stderr, and the others go on.

    Raises DesignError where none is left.
    """
    into.mkdir()
    kept, broken = [], []
    for name, file in zip(_names(files), files, strict=True):
        try:
            pixels = picture(file)
        except UNREADABLE as error:
            broken.append(f"picture {file.name} cannot be read: {error}")
            continue
        Image.fromarray(pixels).save(into / f"{name}.png")
        kept.append(name)
    if not kept:
        raise DesignError(broken[0] if len(broken) == 1 else f"none of {len(broken)} pictures can be read: {broken[0]}")
    for line in broken:
        print(f"left out  {line}", file=sys.stderr)
    return kept


def picture(file: Path) -> Pixels:
    """(H, W, 3) uint8 RGB, upright as the camera noted it. Raises one of UNREADABLE."""
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16") or (upright.mode == "I" and image.format == "PNG"):
            # Pillow would cut at 255: all but the darkest of 65536 greys would be white
            return np.asarray((np.asarray(upright) / 257).round().astype(np.uint8)[..., None].repeat(3, axis=-1))
        if upright.mode in ("I", "F"):
            raise ValueError(f"its numbers (mode {upright.mode}) have no known white")
        return np.asarray(upright.convert("RGB"))


def _names(files: Sequence[Path]) -> list[str]:
    stems, full = Counter(file.stem for file in files), {file.name for file in files}
    return [f.stem if stems[f.stem] == 1 and f.stem not in full else f.name for f in files]

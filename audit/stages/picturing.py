"""Picturing: pictures somebody else made, without ground truth. What the network says, where it looks; no inference."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from audit.attribution import attribute, targets
from audit.config import PICTURES as PICTURES_SET
from audit.config import AuditConfig
from audit.loading import Loaded
from audit.models.channel_order import flips
from audit.stages.attending import keep_maps
from audit.tables import ANSWERS, PICTURES, RESPONSES
from scenes.design import DesignError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


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


def audit_pictures(config: AuditConfig, files: list[Path], loaded: Loaded, folder: Path) -> None:
    """Write `pictures`, `responses`, the pictures themselves, and maps of what each network answers.

    Nothing is known to be true, so `truth` as the target means what is answered; another target stays what it is.
    """
    how = config.attribution
    found = readable(files)
    names, images = list(found), list(found.values())
    (folder / "pictures").mkdir()
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / "pictures" / f"{name}.png")
    tables, responses, answers = [], [], []
    for model, adapter in loaded.adapters.items():
        tables.append(flips(adapter, images).assign(model=model, picture=names))
        probability = adapter.task.probability(adapter.logits(images))
        responses.append(pd.DataFrame({"model": model, "scene_id": names, "probability": list(probability)}))
        nothing = np.zeros(probability.shape, dtype=np.int8)
        likeliest = adapter.task.answers(probability, nothing)
        rows = likeliest.pop("row").to_numpy(dtype=int)
        answers.append(likeliest.assign(model=model, scene_id=np.array(names, dtype=object)[rows]))
        # nothing is known to be true, so what it would be mistaken in is all that it says
        said = adapter.task.mistaken(probability, nothing, adapter.threshold)
        target = said if how.target == targets.TRUTH else targets.named(how.target, adapter.task.name)
        methods = loaded.methods_of(model, config)
        maps = attribute(adapter, images, target, methods, how.batch, how.settings, how.gradient_at)
        has_target = said.any(axis=1) if how.target == targets.TRUTH else np.ones(len(images), dtype=bool)
        keep_maps(maps, np.array(names), has_target, folder / "attributions" / model)
    PICTURES.write(pd.concat(tables, ignore_index=True), folder, csv=True)
    RESPONSES.write(pd.concat(responses, ignore_index=True), folder)
    named = [frame for frame in answers if len(frame)]
    ANSWERS.write(pd.concat(named, ignore_index=True) if named else ANSWERS.empty(), folder)


def readable(files: Sequence[Path]) -> dict[str, np.ndarray]:
    """Name -> picture, (H, W, 3) uint8 RGB. One that cannot be read is said on stderr, and the others go on.

    Raises DesignError where none is left.
    """
    found, broken = {}, []
    for file in files:
        try:
            with Image.open(file) as image:
                found[file.stem] = np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, OSError) as error:
            broken.append(f"picture {file.name} cannot be read: {error}")
    if not found:
        raise DesignError(broken[0] if len(broken) == 1 else f"none of {len(broken)} pictures can be read: {broken[0]}")
    for line in broken:
        print(f"left out  {line}", file=sys.stderr)
    return found

"""Distractors, in the studio: plain things beside and behind the object, in the picture and not before it."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING

from scenes.factors.distractors import (
    COUNTS,
    LEVELS,
    Spread,
    Things,
    is_apart,
    is_seen_beside,
    placed_things,
    places,
)
from scenes.framing import visible_share
from scenes.nuisance import generator
from scenes.scene_spec import CameraSpec, SceneSpec, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw

__all__ = ["CONTROL", "LEVELS", "NAME", "apply"]

NAME = "distractors"
CONTROL = "none"
LEAST_IN_VIEW = 0.98
SPREAD = Spread(size=(0.15, 0.4), away=(0.6, 1.8), aside=100.0)  # beside an object of 1 m


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "none":
        return spec
    here = placed_things(spec)
    found = _standing(draw.seed, draw.block, COUNTS[level], spec.camera, here, spec.floor.color)
    return dataclasses.replace(spec, distractors=found)


@lru_cache(maxsize=4096)
def _standing(seed: int, block: str, count: int, camera: CameraSpec, objects: Things, floor: Vector3) -> Things:
    found: Things = ()
    for thing in places(generator(seed, block, NAME), SPREAD, floor):
        if len(found) == count:
            break
        is_in_view = visible_share(thing, camera) >= LEAST_IN_VIEW
        is_free = all(is_apart(thing, other) for other in (*objects, *found))
        if is_in_view and is_free and is_seen_beside(thing, found, camera, objects):
            found = (*found, thing)
    return found

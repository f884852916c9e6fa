"""Distractors, in the studio: plain things beside and behind the object, in the picture and not before it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from scenes import color
from scenes.factors.distractors import (
    COUNTS,
    LEAST_DIFFERENCE,
    LEVELS,
    TRIES,
    Things,
    is_apart,
    is_seen_beside,
    placed_things,
)
from scenes.framing import visible_share
from scenes.nuisance import generator
from scenes.scene_spec import CameraSpec, MaterialSpec, ObjectSpec, SceneSpec, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw

__all__ = ["CONTROL", "LEVELS", "NAME", "apply"]

NAME = "distractors"
CONTROL = "none"
LEAST_IN_VIEW = 0.98


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "none":
        return spec
    here = placed_things(spec)
    found = _standing(draw.seed, draw.block, draw.size, COUNTS[level], spec.camera, here, spec.floor.color)
    return dataclasses.replace(spec, distractors=found)


@lru_cache(maxsize=4096)
def _standing(
    seed: int, block: str, size: float, count: int, camera: CameraSpec, objects: Things, floor: Vector3
) -> Things:
    found: Things = ()
    for thing in _places(generator(seed, block, NAME), size, floor):
        if len(found) == count:
            break
        is_in_view = visible_share(thing, camera) >= LEAST_IN_VIEW
        is_free = all(is_apart(thing, other) for other in (*objects, *found))
        if is_in_view and is_free and is_seen_beside(thing, found, camera, objects):
            found = (*found, thing)
    return found


def _places(rng: np.random.Generator, size: float, floor: Vector3) -> Iterator[ObjectSpec]:
    for _ in range(TRIES):
        shape = ("box", "cylinder", "sphere")[rng.integers(3)]
        width, height = (float(v) * size for v in rng.uniform(0.15, 0.4, 2))
        angle, far, yaw = rng.uniform(-100, 100), rng.uniform(0.6, 1.8) * size, rng.uniform(0, 360)
        paint = color.draw_floor_color(rng)
        if float(color.delta_e(paint, floor)) < LEAST_DIFFERENCE:
            continue
        yield ObjectSpec(
            shape=shape,
            size=(width, width, width if shape == "sphere" else height),
            position=(far * math.cos(math.radians(angle)), far * math.sin(math.radians(angle))),
            yaw=float(yaw),
            material=MaterialSpec(color=paint),
        )

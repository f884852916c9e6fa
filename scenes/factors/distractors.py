"""Distractors, on the tabletop: things in view beside the way, which no sensor would meet.

They stand where the labels of the scored rows are the same with them as without. A block tries the same places in the
same order under every condition, so `one` is the first of `two`; where fewer fit, as many stand there as fit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from scenes import checks, color, proximity
from scenes.framing import visible_share
from scenes.nuisance import generator
from scenes.proximity import Robot
from scenes.scene_spec import CameraSpec, MaterialSpec, ObjectSpec, SceneSpec, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw

Things = tuple[ObjectSpec, ...]

NAME = "distractors"
CONTROL = "none"
LEVELS = {"none": "the object alone", "one": "one more thing", "two": "two", "four": "four"}
COUNTS = {"none": 0, "one": 1, "two": 2, "four": 4}
TRIES = 300  # places of a block
LEAST_DIFFERENCE = 20.0  # CIEDE2000, from the floor
LEAST_IN_VIEW = 0.5
MOST_HIDDEN = 0.05  # share of the object that one may hide
MOST_COVERED = 0.3  # share of one that may be hidden
APART = 0.02  # m
_ANY = MaterialSpec(color=(0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Spread:
    """Where things are tried: `away` m from (middle, 0), up to `aside` degrees either side of straight ahead."""

    size: tuple[float, float]  # m, of width and height
    away: tuple[float, float]
    aside: float
    middle: float = 0.0  # m ahead


SPREAD = Spread(size=(0.04, 0.09), away=(0.12, 0.7), aside=50.0, middle=0.08)


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "none" or draw.robot is None:
        return spec
    here = placed_things(spec)
    found = _standing(draw.seed, draw.block, COUNTS[level], spec.camera, here, spec.floor.color, draw.robot)
    return dataclasses.replace(spec, distractors=found)


def placed_things(spec: SceneSpec) -> tuple[ObjectSpec, ...]:
    """The objects in no particular material: where they stand is all that matters here."""
    return tuple(dataclasses.replace(o, material=_ANY, casts_shadow=True) for o in spec.objects)


@lru_cache(maxsize=4096)
def _standing(
    seed: int, block: str, count: int, camera: CameraSpec, objects: Things, floor: Vector3, robot: Robot
) -> Things:
    """Up to `count` distractors. Most conditions of a block have one camera and geometry, and ask for the same."""
    found: Things = ()
    for thing in places(generator(seed, block, NAME), SPREAD, floor):
        if len(found) == count:
            break
        if _fits(thing, found, camera, objects, robot):
            found = (*found, thing)
    return found


def places(rng: np.random.Generator, spread: Spread, floor: Vector3) -> Iterator[ObjectSpec]:
    """Things that might stand there, in colours that differ from the floor's."""
    for _ in range(TRIES):
        shape = ("box", "cylinder", "sphere")[rng.integers(3)]
        width, height = (float(v) for v in rng.uniform(*spread.size, 2))
        angle, far, yaw = rng.uniform(-spread.aside, spread.aside), rng.uniform(*spread.away), rng.uniform(0, 360)
        paint = color.draw_floor_color(rng)
        if float(color.delta_e(paint, floor)) < LEAST_DIFFERENCE:
            continue
        yield ObjectSpec(
            shape=shape,
            size=(width, width, width if shape == "sphere" else height),
            position=(spread.middle + far * math.cos(math.radians(angle)), far * math.sin(math.radians(angle))),
            yaw=float(yaw),
            material=MaterialSpec(color=paint),
        )


def _fits(thing: ObjectSpec, beside: Things, camera: CameraSpec, objects: Things, robot: Robot) -> bool:
    return (
        visible_share(thing, camera) >= LEAST_IN_VIEW
        and all(is_apart(thing, other) for other in (*objects, *beside))
        and _is_out_of_the_way(thing, objects, robot)
        and is_seen_beside(thing, beside, camera, objects)
    )


def is_apart(one: ObjectSpec, other: ObjectSpec) -> bool:
    """Whether the circles about two things stay APART."""
    reach = sum(math.hypot(thing.size[0], thing.size[1]) / 2 for thing in (one, other))
    return math.dist(one.position, other.position) > reach + APART


def _is_out_of_the_way(thing: ObjectSpec, objects: Things, robot: Robot) -> bool:
    """Whether no scored label would be another with the thing as an obstacle."""
    alone = proximity.labels(objects, robot)[: robot.scored]
    return np.array_equal(alone, proximity.labels((*objects, thing), robot)[: robot.scored])


def is_seen_beside(thing: ObjectSpec, beside: Things, camera: CameraSpec, objects: Things) -> bool:
    """Whether the thing hides next to nothing of the object, and is not itself hidden by what stands before it."""
    hidden = sum(_covered(camera, o, by=thing) for o in objects)
    own = sum(_covered(camera, thing, by=o) for o in (*objects, *beside))
    return hidden <= MOST_HIDDEN and own <= MOST_COVERED


def _covered(camera: CameraSpec, thing: ObjectSpec, by: ObjectSpec) -> float:
    """Share of the thing's pixels that another one takes; 0 where that stands farther off."""
    away, other = (math.dist((*o.position, 0.0), camera.position) for o in (thing, by))
    if other > away:
        return 0.0
    seen = checks.projected_mask(camera, [thing])
    return float((seen & checks.projected_mask(camera, [by])).sum() / max(seen.sum(), 1))

"""The tabletop set: the robot's camera looks down at the floor, an obstacle stands 5-45 cm ahead, or nothing.

A scene seed (block) draws the nuisance: floor, shape, pose, camera tilt, the direction of colour difference. Every
condition is laid over that same draw.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from scenes import color, factors, proximity
from scenes.design import Cell, Design, derive_seed
from scenes.factors import light
from scenes.factors.cast_shadow import SIZES
from scenes.factors.relation import DISTINCT, NEAR
from scenes.framing import visible_share
from scenes.nuisance import Blind, Draw, generator
from scenes.planning import Planned, Quality, planned
from scenes.proximity import Robot
from scenes.scene_spec import CameraSpec, MaterialSpec, ObjectSpec, SceneError, SceneSpec, Vector3
from scenes.standing import GAP

STRATA = ("near", "near", "far", "empty")  # by block number: half near, a quarter beyond, a quarter without obstacle
NEAR_TRAVEL = 15  # cm
FAR = (0.20, 0.45)  # m from the sensors' arc
SIZE = 0.1  # m, about an obstacle's largest side


@dataclass(frozen=True)
class Camera:
    """The camera as configured; the scene seed draws the tilt within tilt_range."""

    width: int = 80
    height: int = 64
    field_of_view: float = 60.0
    position: Vector3 = (0.05, 0.0, 0.13)
    tilt: float = 56.0
    tilt_range: float = 4.0

    def at(self, tilt: float) -> CameraSpec:
        return CameraSpec(self.width, self.height, self.field_of_view, self.position, tilt)


def draw(seed: int, block: int, camera: Camera, robot: Robot, quality: Quality) -> tuple[SceneSpec, Draw]:
    """The block's scene at control levels, and its draw. Raises SceneError if nothing fits the stratum."""
    stratum = STRATA[block % len(STRATA)]
    rng = generator(seed, block, "pose")
    view = camera.at(camera.tilt + rng.uniform(-camera.tilt_range, camera.tilt_range))
    floor, distinct, near, direction = _colors(seed, block)
    material = dataclasses.replace(floor, color=distinct)
    things = () if stratum == "empty" else (_obstacle(rng, stratum, view, robot, material),)
    jitter = generator(seed, block, "light").uniform(-8, 8, 2)
    front = light.placed(light.PLACEMENTS["front"], SIZES["soft"])
    spec = SceneSpec(
        camera=view,
        floor=floor,
        objects=things,
        key=front,
        world_color=(1.0, 1.0, 1.0),
        world_strength=0.25,
        samples=quality.samples,
        denoise=quality.denoise,
        render_seed=derive_seed(seed, block, "render"),
    )
    across, phase = generator(seed, block, "blocker").uniform(0, 1, 2)
    drawn = Draw(
        stratum,
        {"distinct": distinct, "near": near},
        (float(jitter[0]), float(jitter[1]) / 2),
        blocker_turn=float(180 * across),
        blocker_phase=float(phase),
        seed=seed,
        block=str(block),
        size=SIZE,
        color_direction=direction,
        robot=robot,
        blind=Blind(away=0.7, pitch=0.04, reach=4.0, sun=1.0, room=1.0),
        floor_color=floor.color,
    )
    return light.apply(spec, light.CONTROL, drawn), drawn


@dataclass(frozen=True)
class TextureRange:
    """What floor-like materials are drawn from."""

    kinds: tuple[str, ...]
    scale: tuple[float, float]  # features per metre
    contrast: tuple[float, float]


VARIED = TextureRange(("plain", "noise", "noise", "checker", "stripes", "speckle"), (8.0, 60.0), (0.05, 0.3))
# Fine and faint, so that the mean over the visible part of a small object stays near its declared mean.
FINE = TextureRange(("plain", "noise", "checker", "speckle"), (30.0, 60.0), (0.04, 0.12))


def draw_material(rng: np.random.Generator, mean: Vector3, textures: TextureRange = VARIED) -> MaterialSpec:
    """A floor-like material of that mean albedo."""
    kind = textures.kinds[rng.integers(len(textures.kinds))]
    return MaterialSpec(
        color=mean,
        texture=kind,
        scale=float(np.exp(rng.uniform(*np.log(textures.scale)))),
        contrast=0.0 if kind == "plain" else float(rng.uniform(*textures.contrast)),
        offset=(float(rng.uniform(0, 10)), float(rng.uniform(0, 10)), 0.0),
        roughness=float(rng.uniform(0.5, 0.95)),
        specular=float(rng.uniform(0.1, 0.4)),
    )


def draw_obstacle(
    rng: np.random.Generator, reach: tuple[float, float], bearing: float, material: MaterialSpec
) -> ObjectSpec:
    """A box, cylinder or sphere of 5-15 cm, its centre within `reach` m ahead and `bearing` degrees either side."""
    shape = ("box", "cylinder", "sphere")[rng.integers(3)]
    width, depth, height = rng.uniform(0.05, 0.15, 3)
    if shape == "cylinder":
        depth = width
    if shape == "sphere":
        width = depth = height = rng.uniform(0.07, 0.15)
    angle, far = math.radians(rng.uniform(-bearing, bearing)), rng.uniform(*reach)
    return ObjectSpec(
        shape=shape,
        size=(float(depth), float(width), float(height)),
        position=(0.08 + far * math.cos(angle), far * math.sin(angle)),
        yaw=float(rng.uniform(0, 360)),
        material=material,
    )


def _colors(seed: int, block: int) -> tuple[MaterialSpec, Vector3, Vector3, tuple[float, float]]:
    """Floor material, object colours distinct from it and near to it, and their direction: hue in degrees, lift."""
    rng = generator(seed, block, "color")
    for _ in range(200):
        base = color.draw_floor_color(rng)
        hue, lift, apart = rng.uniform(0, 360), rng.uniform(-0.7, 0.7), rng.uniform(*DISTINCT)
        distinct, near = (color.at_difference(base, d, hue, lift) for d in (apart, NEAR))
        if distinct is not None and near is not None:
            return draw_material(rng, base, FINE), distinct, near, (float(hue), float(lift))
    raise SceneError(f"block {block}: no pair of colours inside the gamut")


def _obstacle(
    rng: np.random.Generator, stratum: str, view: CameraSpec, robot: Robot, material: MaterialSpec
) -> ObjectSpec:
    reach = (0.06, 0.34) if stratum == "near" else (0.22, 0.60)
    for _ in range(2000):
        thing = draw_obstacle(rng, reach, 40.0 if stratum == "near" else 28.0, material)
        away = proximity.distance_to_sensors(thing, robot)
        if away < GAP or visible_share(thing, view) < 0.5:
            continue
        met = proximity.met_within(proximity.labels((thing,), robot), NEAR_TRAVEL)
        if met if stratum == "near" else (not met and FAR[0] <= away <= FAR[1]):
            return thing
    raise SceneError(f"no obstacle fits stratum {stratum}")


def plan(
    design: Design,
    camera: Camera,
    robot: Robot,
    quality: Quality,
    known: factors.Known = factors.REGISTRY["tabletop"],
) -> list[Planned]:
    """Every cell of the design with its SceneSpec, block by block. Raises SceneError, DesignError."""

    def drawn(cell: Cell) -> tuple[SceneSpec, Draw]:
        return draw(design.seed, cell.number, camera, robot, quality)

    return planned("tabletop", design, known, drawn)

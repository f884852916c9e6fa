"""The studio set: one recognisable object in the middle of the picture, a plain floor and a horizon.

A block is an object in a pose: the pose draws how the object is turned, the camera's height and distance, the floor and
what else all its conditions share. The object stands at the origin, the camera looks along +x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from scenes import assets, factors
from scenes.assets.asset import Asset, linear
from scenes.design import OBJECT, Cell, Design, DesignError, derive_seed, nearest
from scenes.factors import studio_light
from scenes.framing import LOWEST, camera_at, extent
from scenes.nuisance import Draw, generator
from scenes.planning import Planned, Quality, planned
from scenes.scene_spec import MaterialSpec, ObjectSpec, SceneSpec, Vector3

SIZE = 1.0  # m, an object's largest side
SIDEWAYS = 0.04  # m, how far from the middle an object may stand
JITTER = (8.0, 4.0)  # degrees of azimuth and elevation that lights are turned by at most


@dataclass(frozen=True)
class View:
    """How the set looks at its objects, as configured: poses draw within the ranges, about what the asset declares."""

    size: int = 224  # px, both sides
    field_of_view: float = 35.0  # degrees
    yaw_range: float = 30.0  # degrees
    elevation_range: float = 4.0  # degrees
    fill_range: float = 0.05  # share of the frame


@dataclass(frozen=True)
class Stage:
    """Surroundings: floors, of which the pose takes one, and the sky or room."""

    floors: tuple[str, ...]  # sRGB hex
    world_color: str
    world_strength: float


STAGES = {
    "room": Stage(floors=("c8c8c8", "7a5a3c"), world_color="d8dce0", world_strength=0.6),
    "outdoors": Stage(floors=("606060", "4a6b2a"), world_color="8fbce8", world_strength=0.9),
}
FLOOR_ROUGHNESS = 0.8
TINT = 0.12  # by how much, relatively, a pose changes each channel of its floor


def plan(
    design: Design,
    view: View,
    quality: Quality,
    known: factors.Known = factors.REGISTRY["studio"],
    own: Mapping[str, Asset] = MappingProxyType({}),
) -> list[Planned]:
    """Every cell of the design with its SceneSpec, block by block. Raises DesignError for an unknown object.

    own: the user's own assets, by the names that the design has for them.
    """
    shown = {**assets.ASSETS, **own}
    for name in design.objects:
        if name not in shown:
            raise DesignError(f"unknown object {name!r}: {nearest(name, shown)}")

    def drawn(cell: Cell) -> tuple[SceneSpec, Draw]:
        return draw(design.seed, shown[cell.condition[OBJECT]], cell.number, view, quality)

    return planned("studio", design, known, drawn)


def draw(seed: int, asset: Asset, pose: int, view: View, quality: Quality) -> tuple[SceneSpec, Draw]:
    """The block's scene at control levels, and its draw. Raises DesignError where the camera is below the floor."""
    block = f"{asset.name}.{pose}"
    rng = generator(seed, block, "pose")
    yaw, tilt, fill, aside = rng.uniform(-1, 1, 4)
    thing = ObjectSpec(
        shape=asset.name,
        size=(SIZE, SIZE, SIZE),
        position=(0.0, float(SIDEWAYS * aside)),
        yaw=float(view.yaw_range * yaw),
        material=MaterialSpec(color=asset.natural),
        file=asset.file,
    )
    elevation = float(asset.elevation + view.elevation_range * tilt)
    share = float(asset.fill + view.fill_range * fill)
    camera = camera_at(thing, elevation, share, view.size, view.field_of_view)
    if camera.position[2] < LOWEST:
        raise DesignError(
            f"the camera would look at {asset.name} from below the floor; make studio.elevation_range smaller"
            " or studio.field_of_view larger"
        )
    stage = STAGES[asset.stage]
    turn, lift = generator(seed, block, "light").uniform(-1, 1, 2)
    jitter = (float(JITTER[0] * turn), float(JITTER[1] * lift))
    across, phase = generator(seed, block, "blocker").uniform(0, 1, 2)
    middle = (0.0, 0.0, extent(thing)[2] / 2)
    spec = SceneSpec(
        camera=camera,
        floor=MaterialSpec(color=_floor(seed, block, pose, stage), roughness=FLOOR_ROUGHNESS, specular=0.5),
        objects=(thing,),
        key=studio_light.placed(studio_light.LAMPS["key"], middle, jitter),
        world_color=linear(stage.world_color),
        world_strength=stage.world_strength,
        samples=quality.samples,
        denoise=quality.denoise,
        render_seed=derive_seed(seed, block, "render"),
    )
    colors = {"natural": asset.natural, "unusual": asset.unusual}
    return spec, Draw(
        asset.name,
        colors,
        jitter,
        blocker_turn=float(180 * across),
        blocker_phase=float(phase),
        seed=seed,
        block=block,
        size=SIZE,
        elevation=elevation,
        fill=share,
    )


def _floor(seed: int, block: str, pose: int, stage: Stage) -> Vector3:
    """Poses take the stage's floors in turn, each a little its own."""
    tint = generator(seed, block, "floor").uniform(1 - TINT, 1 + TINT, 3)
    plain = np.array(linear(stage.floors[pose % len(stage.floors)]))
    red, green, blue = (float(v) for v in np.clip(plain * tint, 0, 1))
    return red, green, blue

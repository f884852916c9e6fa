"""The studio set's objects: plain geometry that ImageNet networks recognise, one module each.

A new asset is a module here and a name in _MODULES.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from scenes import obstacles
from scenes.assets import (
    analog_clock,
    basketball,
    bucket,
    digital_clock,
    file_cabinet,
    golf_ball,
    granny_smith,
    ipod,
    lemon,
    lipstick,
    loudspeaker,
    own,
    pill_bottle,
    plunger,
    pool_table,
    remote_control,
    soccer_ball,
    street_sign,
    tennis_ball,
    toilet_tissue,
    traffic_light,
)
from scenes.assets.asset import NEAR_SYNONYMS, Asset
from scenes.assets.placing import extent, pieces, stood
from scenes.assets.solids import Part
from scenes.design import nearest
from scenes.scene_spec import OBSTACLES, ObjectSpec, SceneError, Vector3

__all__ = ["ASSETS", "NEAR_SYNONYMS", "Asset", "Part", "extent", "named", "of_object", "pieces", "placed"]

_MODULES = (
    granny_smith,
    lemon,
    basketball,
    bucket,
    ipod,
    soccer_ball,
    traffic_light,
    pool_table,
    golf_ball,
    tennis_ball,
    pill_bottle,
    plunger,
    toilet_tissue,
    lipstick,
    digital_clock,
    remote_control,
    loudspeaker,
    file_cabinet,
    street_sign,
    analog_clock,
)
ASSETS: Mapping[str, Asset] = MappingProxyType({m.ASSET.name: m.ASSET for m in _MODULES})


def named(name: str) -> Asset:
    """The asset of that name. Raises SceneError with the nearest names for an unknown one."""
    if name not in ASSETS:
        raise SceneError(f"unknown object {name!r}: {nearest(name, ASSETS)}")
    return ASSETS[name]


def of_object(thing: ObjectSpec) -> list[Part]:
    """The parts of an object that is no closed-form shape, in the robot's frame, metres."""
    if thing.file:
        return own.parts(thing)
    if thing.shape in OBSTACLES:
        return obstacles.parts(thing)
    return placed(thing.shape, thing.material.color, thing.size[0], thing.position, thing.yaw)


def placed(name: str, color: Vector3, size: float, position: tuple[float, float], yaw: float) -> list[Part]:
    """The asset's parts in the robot's frame, metres: on the floor, its middle at position (x, y).

    size: m, the largest side of its bounding box before it is turned. At yaw 0 (degrees, about z) its front faces -x,
    the camera.
    """
    return stood(_built(name, color), size, position, yaw)


@lru_cache(maxsize=32)
def _built(name: str, color: Vector3) -> tuple[Part, ...]:
    return tuple(named(name).parts(color))

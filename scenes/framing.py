"""Framing: where a camera has to stand so that an object fills a share of the picture, and what of it is in view."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from scenes import assets, proximity
from scenes.scene_spec import CameraSpec, ObjectSpec, SceneSpec, Vector3

LOWEST = 0.02  # m, of the studio's camera above the floor


@dataclass(frozen=True)
class Aim:
    """A camera that looks along +x at a point `height` m above the origin."""

    height: float  # m
    elevation: float  # degrees above that point
    away: float  # m from it
    field_of_view: float  # degrees
    size: int  # px, both sides


def camera_at(thing: ObjectSpec, elevation: float, fill: float, size: int, field_of_view: float) -> CameraSpec:
    """A camera of size x size px that looks at the object's middle from `elevation` degrees above it and fills `fill`
    of the frame.

    Width and height are those of the object at yaw 0, so turning an object does not move the camera.
    """
    away = distance_for(half_extent(thing), fill, field_of_view)
    return camera_of(Aim(extent(thing)[2] / 2, elevation, away, field_of_view, size))


def camera_of(aim: Aim) -> CameraSpec:
    up = math.radians(aim.elevation)
    position = (-aim.away * math.cos(up), 0.0, aim.height + aim.away * math.sin(up))
    return CameraSpec(aim.size, aim.size, aim.field_of_view, position, tilt=90.0 - aim.elevation, clip_start=0.01)


def aim_of(spec: SceneSpec) -> Aim:
    """The aim of a studio scene's camera."""
    camera = spec.camera
    elevation = 90.0 - camera.tilt
    away = -camera.position[0] / math.cos(math.radians(elevation))
    height = camera.position[2] - away * math.sin(math.radians(elevation))
    return Aim(height, elevation, away, camera.field_of_view, camera.width)


def aimed(spec: SceneSpec, aim: Aim) -> SceneSpec:
    """The studio scene seen by that aim, but from no lower than LOWEST, where moving back would take the camera."""
    least = math.degrees(math.asin(max(min((LOWEST - aim.height) / aim.away, 1.0), -1.0)))
    return dataclasses.replace(spec, camera=camera_of(dataclasses.replace(aim, elevation=max(aim.elevation, least))))


def distance_for(half: float, fill: float, field_of_view: float) -> float:
    """m from an object's middle at which it fills `fill` of the frame; half: of its larger side as seen, m."""
    return half / fill / math.tan(math.radians(field_of_view) / 2) + 0.6 * half


def fill_of(half: float, away: float, field_of_view: float) -> float:
    """The inverse of `distance_for`."""
    return half / (away - 0.6 * half) / math.tan(math.radians(field_of_view) / 2)


def half_extent(thing: ObjectSpec) -> float:
    """m, half of the larger of an asset's width and height at yaw 0."""
    _, width, height = extent(thing)
    return max(width, height) / 2


def extent(thing: ObjectSpec) -> Vector3:
    """Depth, width and height in m of an asset at yaw 0."""
    parts = assets.of_object(dataclasses.replace(thing, position=(0.0, 0.0), yaw=0.0))
    points = np.concatenate([part.vertices for part in parts])
    depth, width, height = (float(v) for v in np.ptp(points, axis=0))
    return depth, width, height


def visible_share(thing: ObjectSpec, camera: CameraSpec) -> float:
    """Share of points spread over the object's bounding prism that fall inside the image; cheap, before any render."""
    c, s = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 5)] * 2, np.linspace(0, 1, 5), indexing="ij"), -1).reshape(
        -1, 3
    )
    local = grid * np.array(thing.size)
    x = c * local[:, 0] - s * local[:, 1] + thing.position[0]
    y = s * local[:, 0] + c * local[:, 1] + thing.position[1]
    u, v, depth = proximity.project(np.stack([x, y, local[:, 2]], axis=1), camera)
    inside = (depth > 0) & (u > 0) & (u < camera.width) & (v > 0) & (v < camera.height)
    return float(inside.mean())

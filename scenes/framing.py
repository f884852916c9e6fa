"""Framing: where a camera has to stand so that an object fills a share of the picture."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from scenes import assets
from scenes.scene_spec import CameraSpec, ObjectSpec, Vector3


def camera_at(thing: ObjectSpec, elevation: float, fill: float, size: int, field_of_view: float) -> CameraSpec:
    """A camera of size x size px that looks at the object's middle from `elevation` degrees above it and fills `fill`
    of the frame.

    Width and height are those of the object at yaw 0, so turning an object does not move the camera.
    """
    _, width, height = extent(thing)
    half = max(width, height) / 2
    away = half / fill / math.tan(math.radians(field_of_view) / 2) + 0.6 * half
    up = math.radians(elevation)
    position = (-away * math.cos(up), 0.0, height / 2 + away * math.sin(up))
    return CameraSpec(size, size, field_of_view, position, tilt=90.0 - elevation, clip_start=0.01)


def extent(thing: ObjectSpec) -> Vector3:
    """Depth, width and height in m of an asset at yaw 0."""
    parts = assets.of_object(dataclasses.replace(thing, position=(0.0, 0.0), yaw=0.0))
    points = np.concatenate([part.vertices for part in parts])
    depth, width, height = (float(v) for v in np.ptp(points, axis=0))
    return depth, width, height

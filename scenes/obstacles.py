"""Obstacles of the tabletop that have no closed form: cone, bin, ball, bag, wall, as closed meshes that fill a box.

An obstacle's own frame is the robot's: x forward, y left, z up. It is made in a unit box, [-.5, .5] x [-.5, .5] x
[0, 1], and stretched to ObjectSpec.size along its own axes. It wears the whole MaterialSpec, as a box does. Its convex
pieces give mask, shadow and mirror image; where the sensors see it, its outline is the hull of its mesh's section.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

import numpy as np
from scipy.spatial import ConvexHull

from scenes.assets.solids import Array, Indices, Part, Solid, Surface, box, covered, joined, lathe, rotation, spline
from scenes.design import nearest
from scenes.scene_spec import MaterialSpec, ObjectSpec, SceneError

SIDES = 64  # around what is round, as a cylinder has
PANEL_CONTRAST = 0.25  # of a ball's two shades, each so far from the mean


@dataclass(frozen=True, eq=False)
class Obstacle:
    """panels: per face, in the order of the solid's faces, which of two shades it has; none = one shade."""

    solid: Solid  # fills the unit box
    panels: Indices | None = None  # (F,) of 0 and 1


def named(name: str) -> Obstacle:
    """The obstacle of that name. Raises SceneError with the nearest names for an unknown one."""
    if name not in _BUILDERS:
        raise SceneError(f"unknown obstacle {name!r}: {nearest(name, _BUILDERS)}")
    return _built(name)


@cache
def _built(name: str) -> Obstacle:
    return _BUILDERS[name]()


def own(thing: ObjectSpec) -> Part:
    """The obstacle in its own frame, metres, the middle of its box at the origin: where its material's pattern starts.

    Of its surface only the colour is the material's.
    """
    size, half = np.array(thing.size), np.array([0.0, 0.0, thing.size[2] / 2])
    solid = named(thing.shape).solid
    pieces = tuple(piece * size - half for piece in solid.pieces)
    return covered(Solid(solid.vertices * size - half, solid.faces, pieces), Surface(thing.material.color))


def parts(thing: ObjectSpec) -> list[Part]:
    """The obstacle as it stands, in the robot's frame, metres."""
    part, turn = own(thing), rotation("z", thing.yaw).T
    stand = np.array([*thing.position, thing.size[2] / 2])
    pieces = tuple(piece @ turn + stand for piece in part.pieces)
    return [dataclasses.replace(part, vertices=part.vertices @ turn + stand, pieces=pieces)]


def shades(thing: ObjectSpec) -> list[MaterialSpec]:
    """The materials of the obstacle's panels: its own, or one darker and one lighter, whose mean is its own."""
    material = thing.material
    if named(thing.shape).panels is None:
        return [material]
    brightest = max(*material.color, 1e-6) * (1 + material.contrast)
    apart = min(PANEL_CONTRAST, max(1 / brightest - 1, 0.0))  # no surface sends back more light than it gets

    def shade(factor: float) -> MaterialSpec:
        r, g, b = material.color
        return dataclasses.replace(material, color=(factor * r, factor * g, factor * b))

    return [shade(1 - apart), shade(1 + apart)]


@lru_cache(maxsize=256)
def section(name: str, level: float) -> Array | None:
    """Hull (n, 2) of the obstacle's section, counter-clockwise, in its unit box; None where it does not reach.

    level: height in multiples of the obstacle's own.
    """
    solid = named(name).solid
    found = []
    for faces in solid.faces:
        start, end = solid.vertices[faces], solid.vertices[np.roll(faces, -1, axis=1)]
        below, above = start[..., 2] - level, end[..., 2] - level
        crosses = (below > 0) != (above > 0)
        share = below[crosses] / (below - above)[crosses]
        found.append((start[crosses] + share[:, None] * (end - start)[crosses])[:, :2])
    points = np.concatenate(found)
    if len(points) < 3:
        return None
    outline: Array = points[ConvexHull(points).vertices]
    outline.flags.writeable = False  # the cache hands it out again
    return outline


def _cone() -> Obstacle:
    """A traffic cone: a blunt cone on a square plate."""
    plate = box((1.0, 1.0, 0.05)).moved(0.0, 0.0, 0.025)
    return Obstacle(joined([plate, lathe([(0, 0.05), (0.42, 0.05), (0.06, 1.0), (0, 1.0)], SIDES)]))


def _bin() -> Obstacle:
    """A waste bin: tapered, open above, with a rim."""
    outer = [(0, 0), (0.37, 0), (0.465, 0.9), (0.5, 0.91), (0.5, 1.0)]
    return Obstacle(lathe([*outer, (0.45, 1.0), (0.355, 0.04), (0, 0.04)], SIDES, cuts=(0.9,)))


def _ball() -> Obstacle:
    """A ball of eight panels, light and dark by turns, a little turned.

    Seen from anywhere, its light panels take as much of the picture as its dark ones: over the ball their sign is an
    odd function without a term of first order, and of such a function the mean over what a distant eye sees is zero.
    """
    rise = np.linspace(-math.pi / 2, math.pi / 2, SIDES // 2 + 1)
    profile = np.stack([0.5 * np.cos(rise), 0.5 * np.sin(rise)], axis=1)
    profile[[0, -1], 0] = 0.0
    solid = lathe(profile, SIDES)
    octant = np.concatenate([np.sign(solid.vertices[faces].mean(axis=1)).prod(axis=1) for faces in solid.faces])
    turned = solid.turned("x", 28.0).turned("z", 20.0)
    return Obstacle(turned.moved(0.0, 0.0, 0.5), ((octant + 1) / 2).astype(np.int64))


def _bag() -> Obstacle:
    """A full bag, tied at the top: a lump that sags, leans and is nowhere quite round."""
    rounded = [(0.4, 0), (0.48, 0.1), (0.5, 0.22), (0.47, 0.42), (0.36, 0.62), (0.2, 0.76), (0.07, 0.82)]
    radius, height = spline(rounded, 22).T[:, :, None]
    angle = np.linspace(0, 2 * math.pi, 44, endpoint=False)
    waves = 0.08 * np.cos(2 * angle + 1.0) + 0.05 * np.cos(3 * angle + 0.4) + 0.015 * np.cos(5 * angle + 2.0)
    around = radius * (1 + waves * np.clip(1.3 - height, 0, 1))
    x, y = around * np.cos(angle) + 0.08 * height, around * np.sin(angle)
    lump = _hulled(np.stack([x, y, height + 0 * angle], axis=-1).reshape(-1, 3))
    tuft = lathe([(0, 0.78), (0.05, 0.8), (0.14, 1.0), (0, 0.95)], 12).moved(0.07, 0.0, 0.0)
    return Obstacle(_filling(joined([lump, tuft])))


def _wall() -> Obstacle:
    return Obstacle(box((1.0, 1.0, 1.0)).moved(0.0, 0.0, 0.5))


def _hulled(points: Array) -> Solid:
    """The convex hull of points (n, 3) as a mesh of triangles."""
    hull = ConvexHull(points)
    corners = points[hull.simplices]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = (normal * hull.equations[:, :3]).sum(axis=1) < 0
    triangles = np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices)
    number = np.full(len(points), -1)
    number[hull.vertices] = np.arange(len(hull.vertices))
    return Solid(points[hull.vertices], (number[triangles].astype(np.int64),))


def _filling(solid: Solid) -> Solid:
    """The solid moved and stretched until it fills the unit box."""
    low, high = solid.vertices.min(axis=0), solid.vertices.max(axis=0)
    shift = np.array([0.5, 0.5, 0.0])

    def put(points: Array) -> Array:
        placed: Array = (points - low) / (high - low) - shift
        return placed

    return Solid(put(solid.vertices), solid.faces, tuple(map(put, solid.pieces)))


_BUILDERS: Mapping[str, Callable[[], Obstacle]] = MappingProxyType(
    {"cone": _cone, "bin": _bin, "ball": _ball, "bag": _bag, "wall": _wall}
)

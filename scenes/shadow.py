"""Shadow strengths: the share of the key light that objects, or blockers outside the frame, keep from each floor pixel.

Cycles has no shadow pass. For shapes and convex pieces on a plane the answer needs no render: the floor point of each
pixel's centre is a ray-plane intersection, the light is sampled on a fixed grid, and each segment from floor to light
is tested against each shape. It carries no noise, and it is defined where the object hides the floor too (ghosts). What
an asset throws is the outline of its convex pieces, drawn on the floor from each point of the light.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from scenes import silhouette
from scenes.design import nearest
from scenes.proximity import camera_axes
from scenes.scene_spec import SHAPES, BlockerSpec, CameraSpec, LightSpec, ObjectSpec, SceneError, SceneSpec

Array = NDArray[np.float64]
Strength = NDArray[np.float32]
# Points on the light's square: a Fibonacci lattice (34, 55), which no straight shadow edge lines up with. Against many
# random points, strength is within .04 everywhere in a penumbra; a 6 x 6 grid was off by up to .08.
LATTICE = (34, 55)
SUN_LATTICE = (13, 21)  # half a degree across: its penumbra is a pixel or two wide
FAR = 100.0  # m along which a sun's ray is followed
SHADES = ("both", "object", "floor")  # what a blocker's shadow may fall on


def cast_shadow(spec: SceneSpec) -> Strength:
    """Strength (H, W) float32 in [0, 1] on the floor plane; 0 where the pixel's ray misses the floor.

    strength = 1 - unblocked / total irradiance of the key light; both cosines and the distance are in the weights.
    Only the objects count, as if neither distractors nor blockers were there.
    """
    return _strength(spec, spec.objects)


def distractor_shadow(spec: SceneSpec) -> Strength:
    """As `cast_shadow`, of the distractors alone."""
    return _strength(spec, spec.distractors)


def _strength(spec: SceneSpec, things: Sequence[ObjectSpec]) -> Strength:
    points, hits = floor_points(spec.camera)
    strength = np.zeros(hits.shape, dtype=np.float32)
    casters = [o for o in things if o.casts_shadow]
    if not casters or not hits.any():
        return strength
    shapes = [o for o in casters if o.shape in SHAPES]
    pieces = silhouette.pieces_of(casters)
    thrown = [silhouette.on_floor(pieces, s, spec.camera) for s in _sources(spec.key)] if pieces else []
    reached = np.any(thrown, axis=0) if pieces else np.zeros(hits.shape, dtype=bool)
    if shapes:
        reached |= _may_be_shadowed(points, shapes, spec.key) if spec.key.kind == "area" else True
    reached &= hits
    floor = points[reached]
    total, open_ = np.zeros(len(floor)), np.zeros(len(floor))
    for number, (toward, weight) in enumerate(_rays(floor, spec.key)):
        blocked = thrown[number][reached] if pieces else np.zeros(len(floor), dtype=bool)
        for thing in shapes:
            blocked |= blocks(thing, floor, toward)
        total += weight
        open_ += np.where(blocked, 0.0, weight)
    strength[reached] = _kept(total, open_)
    return strength


def outside_shadow(spec: SceneSpec) -> Strength:
    """As `cast_shadow`, of the blockers outside the frame alone; of those that shade only the object none."""
    points, hits = floor_points(spec.camera)
    strength = np.zeros(hits.shape, dtype=np.float32)
    blockers = shading(spec, "floor")
    if not blockers or not hits.any():
        return strength
    floor = points[hits]
    total, open_ = np.zeros(len(floor)), np.zeros(len(floor))
    for toward, weight in _rays(floor, spec.key):
        blocked = np.zeros(len(floor), dtype=bool)
        for blocker in blockers:
            blocked |= blocks_from_outside(blocker, spec.key, floor, toward)
        total += weight
        open_ += np.where(blocked, 0.0, weight)
    strength[hits] = _kept(total, open_)
    return strength


def _kept(total: Array, open_: Array) -> Array:
    """The share of the light that is kept away; none where it does not reach at all, as behind an area light."""
    return np.asarray(1 - np.divide(open_, total, out=np.ones(len(total)), where=total > 0))


def _sources(light: LightSpec) -> list[silhouette.Source]:
    """The samples of a light, in the order of `_rays`."""
    return [silhouette.Source(sample, is_direction=light.kind == "sun") for sample in light_samples(light)[0]]


def _rays(floor: Array, light: LightSpec) -> Iterator[tuple[Array, Array]]:
    """Per sample of the light: segments (N, 3) from the floor points to it, and their weight (N,)."""
    samples, normal = light_samples(light)
    for sample in samples:
        if light.kind == "sun":
            toward = np.broadcast_to(sample * FAR, floor.shape)
            yield toward, np.ones(len(floor))
            continue
        toward = sample - floor
        length = np.linalg.norm(toward, axis=1)
        weight = np.maximum(toward[:, 2], 0) / length * np.maximum(-(toward @ normal), 0) / length / length**2
        yield toward, weight


def shading(spec: SceneSpec, receiver: str) -> tuple[BlockerSpec, ...]:
    """The blockers whose shadow falls on 'object' or on 'floor', which stands for all that is no object.

    Raises SceneError for a blocker that shades neither, nor both.
    """
    for blocker in spec.blockers:
        if blocker.shades not in SHADES:
            raise SceneError(f"blockers cannot shade {blocker.shades!r}: {nearest(blocker.shades, SHADES)}")
    return tuple(b for b in spec.blockers if b.shades in ("both", receiver))


def is_split(spec: SceneSpec) -> bool:
    """Whether an object that is seen is shaded by other blockers than the floor is."""
    is_seen = any(o.is_visible for o in spec.objects)
    return is_seen and shading(spec, "object") != shading(spec, "floor")


def blocks_from_outside(blocker: BlockerSpec, light: LightSpec, start: Array, toward: Array) -> NDArray[np.bool_]:
    """Whether the segments start + t * toward, 0 < t < 1, (n, 3) each, meet a strip of the blocker."""
    middle, across, along, normal = blocker_frame(blocker, light)
    steepness = toward @ normal
    t = (middle - start) @ normal / np.where(np.abs(steepness) < 1e-12, 1e-12, steepness)
    at = start + t[:, None] * toward - middle
    place = at @ across + (blocker.count - 1) / 2 * blocker.pitch
    strip = np.clip(np.rint(place / blocker.pitch), 0, blocker.count - 1)
    met = (np.abs(place - strip * blocker.pitch) < blocker.width / 2) & (np.abs(at @ along) < blocker.length / 2)
    hit: NDArray[np.bool_] = met & (t > 0) & (t < 1)
    return hit


def blocker_frame(blocker: BlockerSpec, light: LightSpec) -> tuple[Array, Array, Array, Array]:
    """Middle of the row of strips, and unit vectors across the strips, along them, and towards the light."""
    target, position = np.array(light.target), np.array(light.position)
    normal = (position - target) / np.linalg.norm(position - target)
    side, up = light_axes(-normal)
    c, s = math.cos(math.radians(blocker.turn)), math.sin(math.radians(blocker.turn))
    across, along = c * side + s * up, c * up - s * side
    middle = target + blocker.distance * normal + blocker.offset * across
    return middle, across, along, normal


def floor_points(camera: CameraSpec) -> tuple[Array, NDArray[np.bool_]]:
    """The floor point (H, W, 3) in m through each pixel's centre, and where there is one (H, W)."""
    ray, hits = pixel_rays(camera)
    t = np.where(hits, -camera.position[2] / np.where(hits, ray[..., 2], -1.0), 0.0)
    return np.array(camera.position) + t[..., None] * ray, hits


def pixel_rays(camera: CameraSpec) -> tuple[Array, NDArray[np.bool_]]:
    """The ray (H, W, 3) through each pixel's centre, 1 m along the axis, and whether it meets the floor (H, W)."""
    right, up, forward = camera_axes(camera)
    focal = camera.width / 2 / math.tan(math.radians(camera.field_of_view) / 2)
    u = (np.arange(camera.width) + 0.5 - camera.width / 2) / focal
    v = -(np.arange(camera.height) + 0.5 - camera.height / 2) / focal
    ray = forward + u[None, :, None] * right + v[:, None, None] * up
    return ray, ray[..., 2] < -1e-6


def light_samples(light: LightSpec) -> tuple[Array, Array]:
    """Points (55, 3) on the light's square, or unit vectors (21, 3) to a sun's disc; and the normal, to the target."""
    normal = np.array(light.target) - np.array(light.position)
    normal = normal / np.linalg.norm(normal)
    side, up = light_axes(normal)
    step, count = SUN_LATTICE if light.kind == "sun" else LATTICE
    number = np.arange(count)
    if light.kind == "sun":
        radius = math.tan(math.radians(light.size) / 2) * np.sqrt((number + 0.5) / count)
        angle = 2 * np.pi * ((number * step) % count) / count
        disc = -normal + (radius * np.cos(angle))[:, None] * side + (radius * np.sin(angle))[:, None] * up
        return disc / np.linalg.norm(disc, axis=1, keepdims=True), normal
    across = ((number + 0.5) / count - 0.5) * light.size
    along = (((number * step) % count + 0.5) / count - 0.5) * light.size
    return np.array(light.position) + across[:, None] * side + along[:, None] * up, normal


def _may_be_shadowed(points: Array, casters: Sequence[ObjectSpec], light: LightSpec) -> NDArray[np.bool_]:
    """Floor points (H, W, 3) inside the hull of what any caster's bounding prism can shadow; outside, strength is 0.

    The floor point that a light point throws a corner onto is a projective map of the light point, so the light's four
    corners bound what the whole square throws. Where a light corner is not above a caster nothing is excluded.
    """
    possible = np.zeros(points.shape[:2], dtype=bool)
    normal = np.array(light.target) - np.array(light.position)
    side, up = light_axes(normal / np.linalg.norm(normal))
    half = light.size / 2
    corners = [np.array(light.position) + half * (a * side + b * up) for a in (-1, 1) for b in (-1, 1)]
    for thing in casters:
        box = prism(thing)
        if min(c[2] for c in corners) <= thing.size[2] + 1e-3:
            return np.ones(points.shape[:2], dtype=bool)
        thrown = np.concatenate([box + (box - c) * (box[:, 2:] / (c[2] - box[:, 2:])) for c in corners])
        plane = ConvexHull(thrown[:, :2]).equations  # (faces, 3): inside where normal . x + offset <= 0
        inside = (points[..., :2] @ plane[:, :2].T + plane[:, 2] <= 1e-9).all(axis=-1)
        possible |= inside
    return possible


def prism(thing: ObjectSpec) -> Array:
    """The eight corners (8, 3) of the upright box around an object."""
    c, s = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    corner = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)]) * np.array(thing.size)
    placed: Array = corner @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]) + np.array([*thing.position, 0.0])
    return placed


def light_axes(normal: Array) -> tuple[Array, Array]:
    """The square's two edges (unit vectors) for a light that shines along `normal`: one level, one upward."""
    side = np.cross(normal, [0.0, 0.0, 1.0])
    if np.linalg.norm(side) < 1e-9:
        side = np.array([0.0, 1.0, 0.0])
    side = side / np.linalg.norm(side)
    return side, np.cross(side, normal)


def blocks(thing: ObjectSpec, start: Array, toward: Array) -> NDArray[np.bool_]:
    """Whether the segments start + t * toward, 0 < t < 1, (n, 3) each, meet the object."""
    near, far = span(thing, start, toward)
    return (near < far) & (far > 1e-9) & (near < 1)


def span(thing: ObjectSpec, start: Array, toward: Array) -> tuple[Array, Array]:
    """The t (n,) at which the lines start + t * toward, (n, 3) each, enter and leave the object; near >= far if never.

    Raises SceneError for an object that has no closed form.
    """
    c, s = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])  # rows of vectors times this = into the object's frame
    half = np.array(thing.size) / 2
    origin = (start - np.array([*thing.position, half[2]])) @ turn / half
    along = toward @ turn / half
    if thing.shape == "box":
        near, far = _slabs(origin, along, (0, 1, 2))
    elif thing.shape == "sphere":
        near, far = _ball(origin, along, 3)
    elif thing.shape == "cylinder":
        round_near, round_far = _ball(origin, along, 2)
        flat_near, flat_far = _slabs(origin, along, (2,))
        near, far = np.maximum(round_near, flat_near), np.minimum(round_far, flat_far)
    else:
        raise SceneError(f"shape {thing.shape!r} has no shadow rule")
    return near, far


def _slabs(origin: Array, along: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    near, far = np.full(len(origin), -np.inf), np.full(len(origin), np.inf)
    for axis in axes:
        step = np.where(np.abs(along[:, axis]) < 1e-12, 1e-12, along[:, axis])
        a, b = (-1 - origin[:, axis]) / step, (1 - origin[:, axis]) / step
        near, far = np.maximum(near, np.minimum(a, b)), np.minimum(far, np.maximum(a, b))
    return near, far


def _ball(origin: Array, along: Array, dimensions: int) -> tuple[Array, Array]:
    o, d = origin[:, :dimensions], along[:, :dimensions]
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1
    disc = b * b - a * c
    root = np.sqrt(np.maximum(disc, 0))
    a = np.maximum(a, 1e-18)
    return np.where(disc > 0, (-b - root) / a, np.inf), np.where(disc > 0, (-b + root) / a, -np.inf)

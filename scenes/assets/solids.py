"""Solids: closed meshes as plain arrays, and what covers them.

An asset's own frame: x right as seen, y away from the viewer, z up, any unit; `scenes.assets.placing` gives it metres.
Faces turn counter-clockwise seen from outside. Nothing here draws at random.

A solid carries `pieces`: points whose convex hulls together have its silhouette from anywhere, so shadows and masks can
be had in closed form. Hollows that are open to one side only (a bucket, an apple's dimple) do not show in a silhouette.
Of a part an array (m, 3, 3) of triangles may stand for m pieces; a user's own mesh is given so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull

from scenes.scene_spec import Vector3

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

PIECE_POINTS = 600  # about; more make closed-form shadows slow and no truer at the size of a pixel
_SIDES = 32  # around a coarse copy of something round


@dataclass(frozen=True)
class Bump:
    """Fine relief that only bends the light: 'noise' or 'voronoi'."""

    kind: str
    scale: float  # features per unit of the own frame
    strength: float  # [0, 1]
    distance: float  # height, unit of the own frame


@dataclass(frozen=True)
class Speckle:
    """Another colour where smooth noise in [0, 1] is high: none of it below `low`, nothing else above `high`."""

    color: Vector3
    scale: float  # features per unit of the own frame
    low: float
    high: float


@dataclass(frozen=True)
class Surface:
    """What covers a part. Colours are linear RGB."""

    color: Vector3
    roughness: float = 0.5
    specular: float = 0.5
    metallic: float = 0.0
    coat: float = 0.0  # clear varnish, [0, 1]
    emission: float = 0.0  # radiance in multiples of the colour
    accent: Vector3 | None = None  # the colour where Part.mix is 1
    speckle: Speckle | None = None
    bump: Bump | None = None


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed mesh. vertices (V, 3); faces: one array (F, n) of vertex numbers per number of corners n."""

    vertices: Array
    faces: tuple[Indices, ...]
    pieces: tuple[Array, ...] = ()  # (n, 3) each; none given = the vertices themselves

    def __post_init__(self) -> None:
        if not self.pieces:
            object.__setattr__(self, "pieces", (self.vertices,))

    def moved(self, x: float, y: float, z: float) -> Solid:
        by = np.array([x, y, z])
        return replace(self, vertices=self.vertices + by, pieces=tuple(p + by for p in self.pieces))

    def turned(self, axis: str, degrees: float) -> Solid:
        """Turned about its frame's x, y or z, right-handed."""
        by = rotation(axis, degrees).T
        return replace(self, vertices=self.vertices @ by, pieces=tuple(p @ by for p in self.pieces))


@dataclass(frozen=True, eq=False)
class Part:
    """A solid, covered. Textures live in its own frame: rest (V, 3) are the vertices before `placed` scaled them."""

    vertices: Array
    faces: tuple[Indices, ...]
    surface: Surface
    pieces: tuple[Array, ...]
    rest: Array
    smooth: bool = True
    sharp: float = 40.0  # degrees between faces from which a smooth part shows an edge
    mix: Array | None = None  # (V,) in [0, 1]: share of surface.accent
    scale: float = 1.0  # metres per unit of the own frame


def covered(solid: Solid, surface: Surface, smooth: bool = True, sharp: float = 40.0, mix: Array | None = None) -> Part:
    """The solid as a part with that surface."""
    return Part(solid.vertices, solid.faces, surface, solid.pieces, solid.vertices, smooth, sharp, mix)


def joined(solids: Sequence[Solid]) -> Solid:
    """Several solids as one mesh, their pieces kept apart."""
    starts = np.cumsum([0, *(len(s.vertices) for s in solids)])
    corners: dict[int, list[Indices]] = {}
    for solid, start in zip(solids, starts, strict=False):
        for faces in solid.faces:
            corners.setdefault(faces.shape[1], []).append(faces + start)
    return Solid(
        np.concatenate([s.vertices for s in solids]),
        tuple(np.concatenate(corners[n]) for n in sorted(corners)),
        tuple(p for s in solids for p in s.pieces),
    )


def rotation(axis: str, degrees: float) -> Array:
    """The right-handed rotation matrix about x, y or z; times a column vector."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first = "xyz".index(axis)
    a, b = (first + 1) % 3, (first + 2) % 3
    matrix = np.eye(3)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def icosphere(level: int, radius: float = 1.0) -> Solid:
    """A ball of 10 * 4**level + 2 vertices: an icosahedron, each triangle split into four `level` times."""
    vertices, faces = icosahedron()
    coarse = vertices
    for step in range(level):
        vertices, faces = _split(vertices, faces)
        if step < 3:  # 642 points
            coarse = vertices
    middling = 1 if level <= 3 else 1.002  # the coarse copy lies as much outside the ball as inside
    return Solid(vertices * radius, (faces,), (coarse * radius * middling,))


def icosahedron() -> tuple[Array, Indices]:
    """Twelve corners (12, 3) on the unit sphere, and twenty triangles (20, 3)."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, a, b * golden) for a in (1, -1) for b in (1, -1)]
    points = np.array([*corners, *[(y, z, x) for x, y, z in corners], *[(z, x, y) for x, y, z in corners]])
    points /= np.linalg.norm(points[0])
    faces = np.array(ConvexHull(points).simplices, dtype=np.int64)
    inward = np.linalg.det(points[faces]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return points, faces


def _split(vertices: Array, faces: Indices) -> tuple[Array, Indices]:
    """Each triangle of a unit sphere into four."""
    count = len(vertices)
    ends = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=-1)
    key, number = np.unique(ends[..., 0] * count + ends[..., 1], return_inverse=True)
    middle = vertices[key // count] + vertices[key % count]
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    m = number.reshape(-1, 3) + count
    a, b, c = faces.T
    ab, bc, ca = m.T
    split = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    return np.concatenate([vertices, middle]), split


def lathe(profile: ArrayLike, segments: int = 96, cuts: Sequence[float] = ()) -> Solid:
    """A profile (n, 2) of (radius, z), from the axis at the bottom to the axis at the top, turned about z.

    cuts: heights at which its silhouette is cut into pieces, where the profile is not convex.
    """
    outline = np.asarray(profile, dtype=np.float64)
    if outline[0, 0] != 0 or outline[-1, 0] != 0:
        raise ValueError("a profile starts and ends on the axis")
    inner = outline[1:-1]
    ring = np.arange(segments)
    after = (ring + 1) % segments
    rows = np.arange(len(inner))[:, None] * segments
    low, high = rows[:-1], rows[1:]
    quads = np.stack([low + ring, low + after, high + after, high + ring], axis=-1).reshape(-1, 4)
    bottom, top = len(inner) * segments, len(inner) * segments + 1
    last = int(rows[-1, 0])
    fans = np.concatenate(
        [
            np.stack([after, ring, np.full(segments, bottom)], axis=1),
            np.stack([last + ring, last + after, np.full(segments, top)], axis=1),
        ]
    )
    poles = np.array([[0.0, 0.0, outline[0, 1]], [0.0, 0.0, outline[-1, 1]]])
    vertices = np.concatenate([_turned_round(inner, segments), poles])
    return Solid(vertices, (fans, quads), _bands(outline, segments, cuts))


def _turned_round(profile: Array, segments: int) -> Array:
    angle = 2 * np.pi * np.arange(segments) / segments
    r, z = profile[:, :1], profile[:, 1:]
    points: Array = np.stack([r * np.cos(angle), r * np.sin(angle), z + 0 * angle], axis=-1).reshape(-1, 3)
    return points


def _bands(profile: Array, segments: int, cuts: Sequence[float]) -> tuple[Array, ...]:
    """The pieces of a lathed solid: between two cuts the hull of its outline, thinned to about PIECE_POINTS."""
    heights = profile[:, 1]
    edges = [heights.min(), *(heights[np.abs(heights - c).argmin()] for c in cuts), heights.max()]
    found = []
    for low, high in itertools.pairwise(edges):
        band = profile[(heights >= low - 1e-9) & (heights <= high + 1e-9)]
        both = np.concatenate([band, band * [-1, 1]])
        outer = both[ConvexHull(both).vertices]
        tips, outer = outer[outer[:, 0] == 0], outer[outer[:, 0] > 0]
        sides = segments
        if len(outer) * segments > PIECE_POINTS:
            outer = outer[np.argsort(np.arctan2(outer[:, 1] - (low + high) / 2, outer[:, 0]))]  # from below to above
            outer = outer[np.unique(np.linspace(0, len(outer) - 1, PIECE_POINTS // _SIDES).round().astype(int))]
            outer = outer * [(1 + 1 / math.cos(math.pi / _SIDES)) / 2, 1]  # as much outside the round as inside
            sides = _SIDES
        found.append(np.concatenate([_turned_round(outer, sides), _turned_round(tips, 1)]))
    return tuple(found)


def cylinder(radius: float, height: float, bevel: float = 0.0, segments: int = 64) -> Solid:
    """Along z, its middle at the origin; bevel: width of the chamfer at both rims."""
    h = height / 2
    if bevel == 0:
        return lathe([(0, -h), (radius, -h), (radius, h), (0, h)], segments)
    r = radius - bevel
    return lathe([(0, -h), (r, -h), (radius, bevel - h), (radius, h - bevel), (r, h), (0, h)], segments)


def box(size: Vector3, radius: float = 0.0, steps: int = 3) -> Solid:
    """Of that extent, its middle at the origin; edges and corners rounded with `radius` in `steps` facets a quarter."""
    half = np.array(size) / 2
    if radius >= half.min():
        raise ValueError(f"a radius of {radius} does not fit a box of {size}")
    inner = half - radius
    lines = []
    for flat in inner:
        # The line at .9: vertices whose faces all are flat, so that smooth shading bends the rim alone, not the side.
        arc = radius * np.tan(np.linspace(0, math.pi / 4, steps + 1))
        positive = np.array([flat]) if radius == 0 else np.concatenate([[0.9 * flat], flat + arc])
        lines.append(np.concatenate([-positive[::-1], positive]))
    sides = [_side(lines, axis, sign) for axis in range(3) for sign in (-1, 1)]
    vertices, faces = welded(sides)
    core = np.clip(vertices, -inner, inner)
    out = vertices - core
    length = np.linalg.norm(out, axis=1, keepdims=True)
    rounded = core + radius * out / np.maximum(length, 1e-30)
    return Solid(rounded, (faces,))


def _side(lines: Sequence[Array], axis: int, sign: int) -> tuple[Array, Indices]:
    """One side of a box as a grid between its lines: vertices, and quads that face outward."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    u, v = np.meshgrid(lines[a], lines[b], indexing="ij")
    points = np.empty((u.size, 3))
    points[:, axis] = sign * lines[axis][-1]
    points[:, a], points[:, b] = u.ravel(), v.ravel()
    number = np.arange(u.size).reshape(u.shape)
    quads = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=-1).reshape(-1, 4)
    return points, quads if sign > 0 else quads[:, ::-1]


def welded(sheets: Sequence[tuple[Array, Indices]]) -> tuple[Array, Indices]:
    """Sheets of (vertices, faces) as one, vertices at the same place made one."""
    starts = np.cumsum([0, *(len(v) for v, _ in sheets)])
    vertices = np.concatenate([v for v, _ in sheets])
    _, first, number = np.unique(vertices.round(9) + 0.0, axis=0, return_index=True, return_inverse=True)
    faces = np.concatenate([f + start for (_, f), start in zip(sheets, starts, strict=False)])
    return vertices[first], number.reshape(-1)[faces]


def swept(rings: ArrayLike, every: int = 1) -> Solid:
    """Rings of points (n, m, 3) joined in order, the first and the last one filled.

    The points of a ring go counter-clockwise seen from beyond the last ring. every: rings between the ends of a piece.
    """
    around = np.asarray(rings, dtype=np.float64)
    count, sides = around.shape[:2]
    points = np.arange(sides)
    after = (points + 1) % sides
    rows = np.arange(count)[:, None] * sides
    low, high = rows[:-1], rows[1:]
    quads = np.stack([low + points, low + after, high + after, high + points], axis=-1).reshape(-1, 4)
    caps = np.stack([points[::-1], points + int(rows[-1, 0])])
    ends = [*range(0, count - 1, every), count - 1]
    pieces = tuple(around[a : b + 1].reshape(-1, 3) for a, b in itertools.pairwise(ends))
    return Solid(around.reshape(-1, 3), (caps, quads), pieces)


def tube(path: ArrayLike, radius: float | ArrayLike, sides: int = 16, every: int = 1) -> Solid:
    """A round tube along a path (n, 3); radius: one, or one per point. every: see `swept`."""
    points = np.asarray(path, dtype=np.float64)
    ahead = np.diff(points, axis=0)
    along = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    tangents = np.concatenate([along[:1], along[1:] + along[:-1], along[-1:]])
    tangents = tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    across = np.cross(tangents[0], np.eye(3)[np.abs(tangents[0]).argmin()])
    angle = 2 * np.pi * np.arange(sides)[:, None] / sides
    rings = []
    for point, tangent, r in zip(points, tangents, np.broadcast_to(radius, len(points)), strict=True):
        across = across - (across @ tangent) * tangent  # carried along without a twist
        across = across / np.linalg.norm(across)
        rings.append(point + r * (np.cos(angle) * across + np.sin(angle) * np.cross(tangent, across)))
    return swept(rings, every)


def spline(points: ArrayLike, count: int) -> Array:
    """`count` points on the Catmull-Rom curve through the points (n, d), evenly spaced in its parameter."""
    given = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([[2 * given[0] - given[1]], given, [2 * given[-1] - given[-2]]])
    t = np.linspace(0, len(given) - 1, count)
    start = np.minimum(t.astype(int), len(given) - 2)
    a, b, c, d = (padded[start + k] for k in range(4))
    t = (t - start)[:, None]
    curve: Array = (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3) / 2
    return curve


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 up to low, 1 from high on, a cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)

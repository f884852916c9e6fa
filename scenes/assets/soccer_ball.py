"""A soccer ball: the truncated icosahedron on a sphere, its pentagons dark, seams sunken between its panels.

The mesh follows the panels, so seams and colours are sharp with few vertices.
"""

from __future__ import annotations

import itertools

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import (
    Array,
    Indices,
    Part,
    Solid,
    Surface,
    covered,
    icosahedron,
    icosphere,
    smoothstep,
    welded,
)
from scenes.scene_spec import Vector3

_PENTAGONS = 12
_SEAM = 0.042  # half its width, radii
_DEPTH = 0.012
_SIDE = 12  # vertices along a side of a panel
# Rings of a panel, as shares of the way from its middle to its rim: dense where the leather bends into the seam.
_RINGS = np.array([0.15, 0.3, 0.45, 0.6, 0.72, 0.82, 0.86, 0.89, 0.915, 0.94, 0.96, 0.98, 1.0])


def parts(leather: Vector3) -> list[Part]:
    middles, corners = _panels()
    vertices, faces = welded([_sheet(m, c) for m, c in zip(middles, corners, strict=True)])
    # The panel of a point is where its height over the panel's plane, relative to that plane's, is greatest.
    planes = np.stack([m / (m @ c[0]) for m, c in zip(middles, corners, strict=True)])
    height = vertices @ planes.T
    order = np.argsort(height, axis=1)
    best, second = order[:, -1], order[:, -2]
    row = np.arange(len(vertices))
    from_seam = (height[row, best] - height[row, second]) / np.linalg.norm(planes[best] - planes[second], axis=1)
    seam = 1 - smoothstep(from_seam, 0, _SEAM)
    is_dark = height[:, :_PENTAGONS].max(axis=1) >= height[row, best] - 1e-9
    ball = Solid(vertices * (1 - _DEPTH * seam)[:, None], (faces,), icosphere(4).pieces)
    surface = Surface(leather, roughness=0.35, coat=0.2, accent=linear("0a0a0a"))
    mix = np.where(is_dark, 1.0, 0.6 * seam)
    return [covered(ball.turned("y", 17.2).turned("x", 28.6), surface, sharp=180, mix=mix)]


def _panels() -> tuple[list[Array], list[Array]]:
    """The middles (3,) of 12 pentagons and 20 hexagons, and their corners (5 or 6, 3), all on the unit sphere."""
    tips, sides = icosahedron()

    def cut(i: int, j: int) -> Array:
        """The corner a third along the edge from tip i to tip j."""
        corner: Array = _unit(2 * tips[i] + tips[j])
        return corner

    edges = sorted({(int(i), int(j)) for side in sides for i, j in itertools.permutations(side, 2)})
    pentagons = [[cut(i, j) for i, j in edges if i == tip] for tip in range(_PENTAGONS)]
    hexagons = [[cut(i, j) for i, j in itertools.permutations(side, 2)] for side in sides]
    middles = [*tips, *(_unit(tips[side].sum(axis=0)) for side in sides)]
    return middles, [_ordered(m, np.array(c)) for m, c in zip(middles, [*pentagons, *hexagons], strict=True)]


def _ordered(middle: Array, corners: Array) -> Array:
    """Corners counter-clockwise about the middle, seen from outside."""
    across = _unit(corners[0] - (corners[0] @ middle) * middle)
    angle = np.arctan2(corners @ np.cross(middle, across), corners @ across)
    return corners[np.argsort(angle)]


def _sheet(middle: Array, corners: Array) -> tuple[Array, Indices]:
    """A panel on the unit sphere as triangles: its middle, then rings out to its rim."""
    share = np.arange(_SIDE)[None, :, None] / _SIDE
    rim = ((1 - share) * corners[:, None] + share * np.roll(corners, -1, axis=0)[:, None]).reshape(-1, 3)
    rim = rim / np.linalg.norm(rim, axis=1, keepdims=True)
    rings = (1 - _RINGS)[:, None, None] * middle + _RINGS[:, None, None] * rim
    rings = rings / np.linalg.norm(rings, axis=-1, keepdims=True)
    count = len(rim)
    here = np.arange(count)
    after = (here + 1) % count
    fan = np.stack([np.zeros(count, np.int64), 1 + here, 1 + after], axis=1)
    low = 1 + np.arange(len(_RINGS) - 1)[:, None] * count
    a, b, c, d = low + here, low + count + here, low + count + after, low + after
    halves = [np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))]
    return np.concatenate([middle[None], rings.reshape(-1, 3)]), np.concatenate([fan, *halves])


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.linalg.norm(vector)
    return unit


ASSET = Asset(
    name="soccer_ball",
    title="soccer ball",
    imagenet=classes(805),
    natural=linear("f2f2f2"),
    unusual=linear("d020a0"),
    elevation=12.0,
    fill=0.6,
    stage="room",
    parts=parts,
)

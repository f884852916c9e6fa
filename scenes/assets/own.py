"""A user's own asset, as `scenes.importing` brought it into the store: its geometry, and the .blend that shows it.

In `<store>/assets/` the file `<digest>.npz` has the mesh in the asset's own frame (x right as seen, y away from the
viewer, z up, the largest side 1, the middle of its foot at the origin); it names a `.blend` beside it, by its content,
of objects in that same frame. A digest names each, so what was once read is never another.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from scenes.assets.asset import Asset, linear
from scenes.assets.placing import standing
from scenes.assets.solids import Array, Indices, Part, Surface
from scenes.color import delta_e
from scenes.scene_spec import ObjectSpec, SceneError, Vector3

VIVID = ("c01820", "e07010", "d8c010", "20a040", "10a0b0", "2a50d0", "7a3cc0", "d020a0")  # sRGB, of every hue


@dataclass(frozen=True, eq=False)
class OwnAsset:
    """What the store knows of it. The mesh is what the picture shows, or of a large one a simpler copy."""

    file: Path  # the .npz
    vertices: Array  # (V, 3)
    faces: Indices  # (F, 3), triangles
    color: Vector3  # mean base colour as seen from four sides, linear RGB
    triangles: int  # of the mesh that is rendered
    agreement: float  # IoU of the rendered masks from four sides with those that ground truth is drawn from
    content: str  # sha256 of the .blend, its name

    @property
    def blend(self) -> Path:
        return self.file.with_name(f"{self.content}.blend")

    @property
    def extents(self) -> Vector3:
        """Width, depth and height; the largest is 1."""
        width, depth, height = (float(v) for v in np.ptp(self.vertices, axis=0))
        return width, depth, height


def has(file: Path) -> bool:
    """Whether both files of an asset are there, and whole."""
    try:
        whole_blend(read(str(file)))
        return True
    except SceneError:
        return False


@lru_cache(maxsize=32)
def read(file: str) -> OwnAsset:
    """The asset of this .npz. Raises SceneError where it is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            red, green, blue = (float(v) for v in kept["color"])
            return OwnAsset(
                file=Path(file),
                vertices=kept["vertices"],
                faces=kept["faces"],
                color=(red, green, blue),
                triangles=int(kept["triangles"]),
                agreement=float(kept["agreement"]),
                content=str(kept["content"]),
            )
    except FileNotFoundError:
        raise SceneError(f"asset {Path(file).name} is not in the store: `render` brings it in again") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise SceneError(f"asset {file} is damaged: delete it and run again") from None


@lru_cache(maxsize=32)
def whole_blend(asset: OwnAsset) -> Path:
    """The .blend of an asset, its content checked. Raises SceneError where it is missing or damaged."""
    try:
        is_whole = hashlib.sha256(asset.blend.read_bytes()).hexdigest() == asset.content
    except FileNotFoundError:
        raise SceneError(f"asset {asset.blend} is missing: delete {asset.file.name} beside it and run again") from None
    if not is_whole:
        raise SceneError(f"asset {asset.blend} is damaged: delete it and {asset.file.name} beside it, and run again")
    return asset.blend


def parts(thing: ObjectSpec) -> list[Part]:
    """The mesh of a user's own asset as it stands in the robot's frame, metres."""
    asset = read(thing.file)
    turn, stand = standing(thing.size[0], thing.position, thing.yaw)
    return [_part(asset, thing.material.color, asset.vertices @ turn + stand, thing.size[0])]


def _part(asset: OwnAsset, color: Vector3, vertices: Array, scale: float) -> Part:
    """Every triangle is a piece of its silhouette. Of the surface only the colour is said: the .blend has the rest."""
    triangles = (vertices[asset.faces],)
    return Part(vertices, (asset.faces,), Surface(color), triangles, asset.vertices, scale=scale)


def declared(
    name: str, asset: OwnAsset, elevation: float, fill: float, stage: str, unusual: str | None = None
) -> Asset:
    """The asset as the studio knows its objects. unusual: sRGB hex; None: the vivid colour farthest from its own.

    Which ImageNet classes are right for it is not said here: only classifiers ask.
    """
    return Asset(
        name=name,
        title=name.replace("_", " "),
        imagenet=(),
        natural=asset.color,
        unusual=linear(unusual) if unusual else farthest(asset.color),
        elevation=elevation,
        fill=fill,
        stage=stage,
        parts=lambda color: [_part(asset, color, asset.vertices, 1.0)],
        file=str(asset.file),
    )


def farthest(color: Vector3) -> Vector3:
    """Of VIVID the colour that differs most (CIEDE2000) from a linear one."""
    return max(map(linear, VIVID), key=lambda other: float(delta_e(color, other)))

"""SceneSpec: one image, fully described as plain data, with a content hash.

Frame: the robot's. x forward, y left, z up, origin on the floor under the robot's axle, in the studio under the object;
metres, degrees.
Colours are linear RGB in [0, 1] (scene-referred albedo or light colour), never sRGB.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 3
BLENDER_VERSION = (4, 5)  # a constant of the key; the worker asserts it

Vector3 = tuple[float, float, float]
SHAPES = ("box", "cylinder", "sphere")  # in closed form
OBSTACLES = ("cone", "bin", "ball", "bag", "wall")  # meshes of scenes.obstacles; any other is the name of an asset


class SceneError(ValueError):
    """A scene that cannot be described or built as asked."""


@dataclass(frozen=True)
class CameraSpec:
    width: int  # px
    height: int  # px
    field_of_view: float  # degrees, horizontal
    position: Vector3
    tilt: float  # degrees from straight down; the optical axis lies in the xz plane, towards +x
    clip_start: float = 0.001  # m; Blender's .1 m would cut near obstacles open


@dataclass(frozen=True)
class MaterialSpec:
    """A dielectric surface whose albedo has mean `color`; texture changes it by +- contrast around that mean."""

    color: Vector3
    texture: str = "plain"
    scale: float = 20.0  # features per metre
    contrast: float = 0.0  # [0, 1)
    offset: Vector3 = (0.0, 0.0, 0.0)
    roughness: float = 0.7
    specular: float = 0.3
    metallic: float = 0.0  # 1 reflects like a mirror in its colour, where roughness is 0


@dataclass(frozen=True)
class ObjectSpec:
    """A closed-form shape, an obstacle, or an asset by its name, whose main part takes the colour of the material."""

    shape: str
    size: Vector3  # extent along its own x, y, z; a sphere has three equal; the first is an asset's largest side
    position: tuple[float, float]  # of its centre on the floor
    yaw: float
    material: MaterialSpec
    is_visible: bool = True  # to the camera and to bounced light; False = ghost
    casts_shadow: bool = True
    file: str = ""  # geometry of a user's own asset; of its path only the name, a digest, is content


@dataclass(frozen=True)
class LightSpec:
    """A square area light, or a sun that shines from `position` towards `target`."""

    position: Vector3
    target: Vector3
    size: float  # m, edge of the square; degrees, diameter of the sun
    power: float  # W; of the sun W/m2
    color: Vector3 = (1.0, 1.0, 1.0)
    kind: str = "area"  # area, sun


@dataclass(frozen=True)
class BlockerSpec:
    """Strips across the light, outside the frame: they throw shadows and nothing else sees them.

    They lie in the plane `distance` before the light's target that faces the light, side by side, `count` of them,
    `width` wide every `pitch`, `length` long; `turn` is the angle of the way across them to the level direction, and
    `offset` how far the middle of the row lies from the axis, along that way. `shades` says on what the shadow falls:
    both, object, or floor.
    """

    distance: float  # m
    count: int
    width: float  # m
    pitch: float  # m
    length: float  # m
    turn: float  # degrees
    offset: float = 0.0  # m
    shades: str = "both"  # both, object, floor


@dataclass(frozen=True)
class SceneSpec:
    camera: CameraSpec
    floor: MaterialSpec
    objects: tuple[ObjectSpec, ...]
    key: LightSpec
    world_color: Vector3
    world_strength: float
    samples: int  # Cycles samples per pixel
    render_seed: int  # Cycles' own seed
    blockers: tuple[BlockerSpec, ...] = ()
    denoise: bool = False
    distractors: tuple[ObjectSpec, ...] = ()  # things beside the object, which no question is about

    @property
    def scene_id(self) -> str:
        """Content hash, 32 hex digits: this spec, the schema, the Blender version and the builders' source."""
        content = {
            "spec": without_folders(to_plain(self)),
            "schema": SCHEMA_VERSION,
            "blender": BLENDER_VERSION,
            "builders": _builders_digest(),
            "assets": [
                _asset_digest("own" if o.file else o.shape)
                for o in (*self.objects, *self.distractors)
                if o.shape not in SHAPES
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def to_plain(spec: Any) -> Any:
    """Dataclasses, tuples, numbers as JSON values; floats rounded to 1e-6, so noise of arithmetic is no content."""
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        return {f.name: to_plain(getattr(spec, f.name)) for f in dataclasses.fields(spec)}
    if isinstance(spec, (list, tuple)):
        return [to_plain(v) for v in spec]
    if isinstance(spec, float):
        return round(spec, 6) + 0.0  # + 0.0 turns -0.0 into 0.0
    return spec


def from_plain(data: dict[str, Any]) -> SceneSpec:
    """The SceneSpec that `to_plain` described."""
    return SceneSpec(
        camera=CameraSpec(**_tupled(data["camera"])),
        floor=MaterialSpec(**_tupled(data["floor"])),
        objects=tuple(_object(o) for o in data["objects"]),
        key=LightSpec(**_tupled(data["key"])),
        world_color=tuple(data["world_color"]),
        world_strength=data["world_strength"],
        samples=data["samples"],
        render_seed=data["render_seed"],
        blockers=tuple(BlockerSpec(**b) for b in data["blockers"]),
        denoise=data["denoise"],
        distractors=tuple(_object(o) for o in data["distractors"]),
    )


def without_folders(data: dict[str, Any]) -> dict[str, Any]:
    """The plain spec with the files of assets named alone: moving the store is no other scene."""
    return _with_files(data, lambda file: Path(file).name)


def in_folder(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The inverse: the files of assets in that folder."""
    return _with_files(data, lambda file: str(folder / file))


def _with_files(data: dict[str, Any], renamed: Callable[[str], str]) -> dict[str, Any]:
    things = {
        kind: [{**o, "file": renamed(o["file"])} if o["file"] else o for o in data[kind]]
        for kind in ("objects", "distractors")
    }
    return {**data, **things}


def _object(data: dict[str, Any]) -> ObjectSpec:
    return ObjectSpec(**{**_tupled(data), "material": MaterialSpec(**_tupled(data["material"]))})


def _tupled(data: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


@cache
def _builders_digest() -> str:
    """Digest of the source that turns a spec into pixels: a changed builder is a changed picture."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "blender").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _asset_digest(name: str) -> str:
    """Digest of the source that a mesh is made by: a changed lemon leaves the scenes of all else as they are."""
    folder = Path(__file__).parent
    sources = [folder / "assets" / f"{n}.py" for n in ("solids", "asset", "placing", "lettering", name)]
    digest = hashlib.sha256()
    for path in [sources[0], folder / "obstacles.py"] if name in OBSTACLES else sources:
        if path.is_file():  # a shape that nobody can build is refused where it is built, scene by scene
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

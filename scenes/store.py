"""Content-addressed render store: a scene is rendered once, ever, and auditing the next checkpoint renders nothing.

Files: `<root>/<two hex digits>/<scene_id>.scene` and, apart because training needs none, `<scene_id>.<rule>.shadow`,
where `rule` is a digest of the source that computes it. Each is a sha256 digest followed by a compressed npz; it is
written beside its place and renamed, so a file is whole or not there.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR, OBJECT = 1, 2  # values of the index pass; 0 is background
_IMAGE = ".scene"


class StoreError(RuntimeError):
    """A product that is missing or corrupt."""


@dataclass(frozen=True)
class Render:
    """One scene's picture and ground truth, all (H, W) of the same camera."""

    rgb: NDArray[np.uint8]  # (H, W, 3) sRGB
    object: NDArray[np.float32]  # 1 where the pixel's centre shows an object
    shadow: NDArray[np.float32]  # cast-shadow strength on the floor, [0, 1], 0 elsewhere
    outside: NDArray[np.float32]  # strength of shadows from outside the frame, likewise
    floor: NDArray[np.float32]
    background: NDArray[np.float32]
    depth: NDArray[np.float32]  # m along the camera's axis, inf where nothing
    albedo: NDArray[np.float32]  # (2, 3) mean linear albedo of floor, object as rendered; NaN where not seen

    def regions(self) -> NDArray[np.float32]:
        """Object, cast shadow, outside shadow, floor, background: (5, H, W) fractions that sum to 1 per pixel.

        Where both shadows fall, the object's own counts first.
        """
        open_ = self.floor * (1 - self.shadow)
        parts: list[NDArray[np.float32]] = [
            self.object,
            self.floor * self.shadow,
            open_ * self.outside,
            open_ * (1 - self.outside),
            self.background,
        ]
        return np.stack(parts)


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, scene_id: str, with_shadow: bool = True) -> bool:
        return self._path(scene_id, _IMAGE).is_file() and (not with_shadow or self._path(scene_id, _shadow()).is_file())

    def read(self, scene_id: str) -> Render:
        """The scene's products; without a stored shadow its strength is NaN. Raises StoreError."""
        image = self._load(scene_id, _IMAGE)
        index = image["index"]
        floor = (index == FLOOR).astype(np.float32)
        if self._path(scene_id, _shadow()).is_file():
            kept = self._load(scene_id, _shadow())
            shadow, outside = (kept[name].astype(np.float32) / 255 * floor for name in ("strength", "outside"))
        else:
            shadow = outside = np.full(index.shape, np.nan, dtype=np.float32)
        return Render(
            rgb=image["rgb"],
            object=(index >= OBJECT).astype(np.float32),
            shadow=shadow,
            outside=outside,
            floor=floor,
            background=(index == 0).astype(np.float32),
            depth=image["depth"],
            albedo=image["albedo"],
        )

    def write_image(self, scene_id: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """rgb uint8 (H, W, 3), index uint8 (H, W), depth float32 (H, W), albedo float32 (2, 3)."""
        self._save(scene_id, _IMAGE, arrays)

    def write_shadow(self, scene_id: str, strength: NDArray[np.float32], outside: NDArray[np.float32]) -> None:
        """Strengths (H, W) in [0, 1] of the object's shadow and of those from outside, kept in steps of 1/255."""
        kept = {"strength": strength, "outside": outside}
        self._save(scene_id, _shadow(), {name: np.rint(a * 255).astype(np.uint8) for name, a in kept.items()})

    def discard(self, scene_id: str) -> None:
        """Forget a scene's products, so that it is rendered again."""
        for kind in (_IMAGE, _shadow()):
            self._path(scene_id, kind).unlink(missing_ok=True)

    def _path(self, scene_id: str, kind: str) -> Path:
        return self.root / scene_id[:2] / f"{scene_id}{kind}"

    def _save(self, scene_id: str, kind: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        content = buffer.getvalue()
        path = self._path(scene_id, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            with open(partial, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def _load(self, scene_id: str, kind: str) -> dict[str, NDArray[Any]]:
        path = self._path(scene_id, kind)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"scene {scene_id} is not in the store {self.root}") from None
        digest, body = content[:32], content[32:]
        if hashlib.sha256(body).digest() != digest:
            raise StoreError(f"scene {scene_id} is corrupt in the store: delete {path.name} and run again")
        with np.load(io.BytesIO(body)) as file:
            return dict(file)


@cache
def _shadow() -> str:
    folder = Path(__file__).parent
    source = b"".join((folder / name).read_bytes() for name in ("shadow.py", "silhouette.py"))
    return f".{hashlib.sha256(source).hexdigest()[:8]}.shadow"

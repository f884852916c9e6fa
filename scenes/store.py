"""Content-addressed render store: a scene is rendered once, ever, and auditing the next checkpoint renders nothing.

Files: `<root>/<two hex digits>/<scene_id>.scene` and, apart because training needs none, `<scene_id>.<rule>.shadow`,
where `rule` is a digest of the source that computes it. Each is a sha256 digest followed by a compressed npz; it is
written beside its place and renamed, so a file is whole or not there. The digest is over the file's name too: another
scene's file under this name is as corrupt as a flipped byte. Nothing is flushed to the disk before the renaming: what a
power failure takes is found by its digest, and rendered again. `<root>/assets/` holds users' own (scenes.assets.own).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.scene_spec import SceneSpec, from_plain, in_folder, to_plain, without_folders

# values of the index pass: 0 background, then the floor, the objects from OBJECT on, distractors from DISTRACTOR on
FLOOR, OBJECT, DISTRACTOR = 1, 2, 128
ASSETS = "assets"  # the folder of users' own
TRUTH = ("shadow", "distractor_shadow", "outside", "reflection")  # as in Render; in the order in which they count
_IMAGE = ".scene"
_SPEC = "spec"  # of the image's arrays: the SceneSpec as JSON
_ABANDONED = 3600.0  # s after which a partial file belongs to nobody


class StoreError(RuntimeError):
    """A product that is missing or corrupt."""


@dataclass(frozen=True)
class Render:
    """One scene's picture and ground truth, all (H, W) of the same camera."""

    rgb: NDArray[np.uint8]  # (H, W, 3) sRGB
    object: NDArray[np.float32]  # 1 where the pixel's centre shows an object
    distractors: NDArray[np.float32]  # 1 where it shows a distractor
    shadow: NDArray[np.float32]  # strength of the objects' cast shadow on the floor, [0, 1], 0 elsewhere
    distractor_shadow: NDArray[np.float32]  # strength of the distractors' shadow, likewise
    outside: NDArray[np.float32]  # strength of shadows from outside the frame, likewise
    reflection: NDArray[np.float32]  # 1 where the pixel's centre shows an object's image in the floor
    floor: NDArray[np.float32]
    background: NDArray[np.float32]
    depth: NDArray[np.float32]  # m along the camera's axis, inf where nothing
    albedo: NDArray[np.float32]  # (2, 3) mean linear albedo of floor, object as rendered; NaN where not seen

    def regions(self) -> NDArray[np.float32]:
        """Object, cast shadow, outside shadow, reflection, distractors, floor, background: (7, H, W) fractions.

        They sum to 1 in every pixel. The floor is given to what covers it in the order of TRUTH, each taking its
        strength of what the one before left: the object's own shadow first, so that it is the same whatever else a
        condition adds; then the distractors' shadow, which is part of their region, the shadow from outside, and the
        object's reflection.
        """
        left, shares = self.floor, {}
        for name in TRUTH:
            cover: NDArray[np.float32] = getattr(self, name)
            shares[name], left = left * cover, left * (1 - cover)
        beside = self.distractors + shares["distractor_shadow"]
        parts = [self.object, shares["shadow"], shares["outside"], shares["reflection"], beside, left, self.background]
        return np.stack(parts)


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, scene_id: str, with_shadow: bool = True) -> bool:
        return self._path(scene_id, _IMAGE).is_file() and (not with_shadow or self._path(scene_id, _shadow()).is_file())

    def read(self, scene_id: str) -> Render:
        """The scene's products; without its stored truth every strength is NaN. Raises StoreError."""
        image = self._load(scene_id, _IMAGE)
        index = image["index"]
        floor = (index == FLOOR).astype(np.float32)
        if self._path(scene_id, _shadow()).is_file():
            kept = self._load(scene_id, _shadow())
            truth = {name: kept[name].astype(np.float32) / 255 * floor for name in TRUTH}
        else:
            truth = dict.fromkeys(TRUTH, np.full(index.shape, np.nan, dtype=np.float32))
        return Render(
            rgb=image["rgb"],
            object=((index >= OBJECT) & (index < DISTRACTOR)).astype(np.float32),
            distractors=(index >= DISTRACTOR).astype(np.float32),
            **truth,
            floor=floor,
            background=(index == 0).astype(np.float32),
            depth=image["depth"],
            albedo=image["albedo"],
        )

    def picture(self, scene_id: str) -> NDArray[np.uint8]:
        """The scene's picture alone, (H, W, 3) sRGB: a quarter of the work of `read`. Raises StoreError."""
        return self._load(scene_id, _IMAGE, ("rgb",))["rgb"]

    def write_image(self, scene_id: str, arrays: Mapping[str, NDArray[Any]], spec: SceneSpec | None = None) -> None:
        """rgb uint8 (H, W, 3), index uint8 (H, W), depth float32 (H, W), albedo float32 (2, 3), and what they show."""
        text = b"" if spec is None else json.dumps(without_folders(to_plain(spec)), sort_keys=True).encode()
        self._save(scene_id, _IMAGE, {**arrays, _SPEC: np.frombuffer(text, dtype=np.uint8)})

    def write_truth(self, scene_id: str, truth: Mapping[str, NDArray[np.float32]]) -> None:
        """Strengths (H, W) in [0, 1] under the names of TRUTH, as `scenes.truth.of` finds them; kept in 1/255 steps."""
        self._save(scene_id, _shadow(), {name: np.rint(truth[name] * 255).astype(np.uint8) for name in TRUTH})

    def spec(self, scene_id: str) -> SceneSpec:
        """What the scene was rendered from. Raises StoreError."""
        text = self._load(scene_id, _IMAGE, (_SPEC,))[_SPEC].tobytes()
        if not text:
            raise StoreError(f"scene {scene_id}: the store does not say what it was rendered from")
        return from_plain(in_folder(json.loads(text), self.root / ASSETS))

    def ids(self) -> Iterator[str]:
        """The ids of all scenes that have a picture, in order."""
        for path in sorted(self.root.glob(f"??/*{_IMAGE}")):
            yield path.name.removesuffix(_IMAGE)

    def find(self, beginning: str) -> str:
        """The one scene whose id begins so. Raises StoreError where there is none, or more than one."""
        found = [i for i in self.ids() if i.startswith(beginning)]
        if len(found) != 1:
            several = f"{len(found)} scenes begin so, {', '.join(found[:3])}" if found else "no scene's id begins so"
            raise StoreError(f"scene {beginning!r} in the store {self.root}: {several}")
        return found[0]

    def files(self, scene_id: str) -> tuple[Path, ...]:
        """The files of a scene: picture, and ground truth by the present rule."""
        return (self._path(scene_id, _IMAGE), self._path(scene_id, _shadow()))

    def sweep(self) -> None:
        """Remove what writers that died left half-written."""
        for path in self.root.glob("??/*.partial"):
            with contextlib.suppress(FileNotFoundError):  # its writer lives, and has just renamed it
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

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
                file.write(_digest(path.name, content) + content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def _load(self, scene_id: str, kind: str, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The arrays of a file, all of them or those of `names`; the digest is of the whole file either way."""
        path = self._path(scene_id, kind)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"scene {scene_id} is not in the store {self.root}") from None
        digest, body = content[:32], content[32:]
        if _digest(path.name, body) != digest:
            raise StoreError(f"scene {scene_id} is corrupt in the store: delete {path.name} and run again")
        try:
            with np.load(io.BytesIO(body)) as file:
                return {name: file[name] for name in names or file.files}
        except (ValueError, zipfile.BadZipFile, EOFError):
            raise StoreError(f"scene {scene_id} cannot be read: delete {path.name} and run again") from None


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


@cache
def _shadow() -> str:
    folder = Path(__file__).parent
    sources = ("truth.py", "shadow.py", "silhouette.py", "triangles.py", "reflection.py")
    source = b"".join((folder / name).read_bytes() for name in sources)
    return f".{hashlib.sha256(source).hexdigest()[:8]}.shadow"

"""Bringing a user's own asset into the store: a .blend, .glb, .gltf or .obj becomes plain geometry and a safe .blend.

A process of its own that holds Blender reads the file, with every script in it left alone (scenes.blender.importing).
What it made is named by a digest of the file and of all that the file refers to, so the next time no Blender is needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from scenes.assets import own
from scenes.assets.own import OwnAsset
from scenes.design import nearest
from scenes.scene_spec import SceneError
from scenes.store import ASSETS

SUFFIXES = (".blend", ".glb", ".gltf", ".obj")
UPWARD = ("auto", "x", "y", "z", "-x", "-y", "-z")  # auto: as the format has it, z of .blend and y of the others
MOST_TRIANGLES = 2_000_000
TIMEOUT = 300.0  # s
_MAGIC = {
    ".blend": (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"),  # plain, or compressed in either of two ways
    ".glb": (b"glTF",),
}
_ABANDONED = 3600.0  # s after which a half-done import belongs to nobody
_WORKING = ".importing-"  # how the folder of one begins


def bring_in(path: Path, root: Path, up: str = "auto", yaw: float = 0.0) -> OwnAsset:
    """The asset of the file `path`, in the store `root`; the first time this starts Blender.

    up: the axis of the file that points up. yaw: degrees by which it is turned about that axis, counter-clockwise seen
    from above, so that its front faces the viewer. Raises SceneError, one line that begins with the path.
    """
    content = _content(path)
    digest = _digest(content, path, up, yaw)
    folder = (root / ASSETS).resolve()  # a worker need not stand where its owner does
    file = _kept(folder, digest, path)
    if file is None:
        if importlib.util.find_spec("bpy") is None:
            raise SceneError(
                f"{path}: to bring it into the store takes Blender, and bpy is not installed; with Python 3.11, which"
                f" has it, `render` fills the store {root}, which then serves here too"
            )
        file = _imported(folder, digest, path, up, yaw)
    return own.read(str(file))


def _content(path: Path) -> bytes:
    """What the file holds. Raises SceneError for a file that cannot be what its name says."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SceneError(f"{path}: a file of this kind cannot be brought in; {nearest(suffix, SUFFIXES)}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SceneError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SceneError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not content:
        raise SceneError(f"{path}: the file is empty; export it again")
    if suffix in _MAGIC and not content.startswith(_MAGIC[suffix]):
        raise _unreadable(path)
    return content


def _unreadable(path: Path, why: str = "") -> SceneError:
    """The error for a file that is not what its suffix says."""
    because = f" ({why})" if why else ""
    return SceneError(f"{path}: is no {path.suffix.lower()} file that can be read{because}; export it again")


def _digest(content: bytes, path: Path, up: str, yaw: float) -> str:
    """Digest of the file, of the parts of it that lie in files beside it, and of how it is brought in."""
    found = hashlib.sha256(f"{_rule()}|{path.suffix.lower()}|{up}|{yaw:.6g}|".encode() + content)
    for name in _parts_beside(content, path):
        found.update(b"|" + name.encode())
        try:
            found.update((path.parent / name).read_bytes())
        except OSError:
            raise SceneError(f"{path}: refers to {name}, which cannot be read; put it there, or export again") from None
    return found.hexdigest()[:32]


@cache
def _rule() -> str:
    """Digest of the source that reads a file: another rule, another asset."""
    return hashlib.sha256((Path(__file__).parent / "blender" / "importing.py").read_bytes()).hexdigest()[:16]


def _parts_beside(content: bytes, path: Path) -> list[str]:
    """The files, relative to its own folder, without which the file is not whole: materials, buffers, pictures."""
    suffix = path.suffix.lower()
    if suffix == ".obj":
        named = re.findall(rb"^mtllib[ \t]+(.+?)[ \t\r]*$", content, re.MULTILINE)
        return [name.decode("utf-8", "replace") for name in named]
    if suffix == ".blend":
        return []  # Blender alone can tell: see `_kept`
    try:
        start = 20 if suffix == ".glb" else 0
        length = int.from_bytes(content[12:16], "little") if suffix == ".glb" else len(content)
        scene: Any = json.loads(content[start : start + length])
        blocks = [*scene.get("buffers", ()), *scene.get("images", ())]
        names = [block["uri"] for block in blocks if "uri" in block]
    except (ValueError, AttributeError, TypeError) as error:
        raise _unreadable(path, str(error)) from None
    return [unquote(name) for name in names if not name.startswith("data:")]


def _kept(folder: Path, digest: str, path: Path) -> Path | None:
    """The asset's .npz, where the store has it with the present content of all pictures that its file refers to."""
    try:
        outside = json.loads((folder / f"{digest}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    file = folder / f"{_named(digest, path, outside)}.npz"
    return file if own.has(file) else None


def _named(digest: str, path: Path, outside: Sequence[str]) -> str:
    """The asset's name: the digest of the file, and where it refers to others, of those too."""
    if not outside:
        return digest
    found = hashlib.sha256(digest.encode())
    for name in outside:
        place = path.parent / name
        found.update(name.encode() + b"|" + (place.read_bytes() if place.is_file() else b""))
    return found.hexdigest()[:32]


def _imported(folder: Path, digest: str, path: Path, up: str, yaw: float) -> Path:
    """Let Blender read the file, and put what it made in its place; the .npz, which stands for all, comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix=_WORKING, dir=folder) as working:
        places = {"path": str(path.resolve()), "folder": str(Path(working).resolve())}
        reply = _asked(path, {**places, "up": up, "yaw": yaw, "most": MOST_TRIANGLES})
        if "refused" in reply:
            raise SceneError(f"{path}: {reply['refused']}")
        outside: list[str] = reply["outside"]
        file = folder / f"{_named(digest, path, outside)}.npz"
        record = Path(working) / "outside.json"
        record.write_text(json.dumps(outside), "utf-8")
        os.replace(Path(working) / reply["blend"], folder / reply["blend"])
        os.replace(Path(working) / reply["geometry"], file)
        os.replace(record, folder / f"{digest}.json")
    own.read.cache_clear()  # in place of a damaged one, it is not what was read before
    return file


def _asked(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """What the process that holds Blender answers. Raises SceneError where it does not."""
    package_root = str(Path(__file__).resolve().parents[1])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scenes.blender.importing"],
            input=json.dumps(request).encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": package_root},
            timeout=TIMEOUT,
            check=False,
        )
        reply: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SceneError(f"{path}: Blender did not bring it in within {TIMEOUT:g} s; make it simpler") from None
    except ValueError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if done.returncode < 0:
            raise _unreadable(path, f"Blender was ended by signal {-done.returncode}") from None
        why = said[-1] if said else "no message"
        raise SceneError(f"{path}: Blender could not bring it in ({why}): run 'python -m audit doctor'") from None
    return reply


def _sweep(folder: Path) -> None:
    """Remove what imports that were killed left half-done."""
    for left in folder.glob(f"{_WORKING}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)

"""A scene as a .blend, to be opened and looked at in Blender. It is made by a process of its own that holds Blender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from scenes.scene_spec import SceneError, SceneSpec, to_plain

TIMEOUT = 120.0  # s


def save_blend(spec: SceneSpec, path: Path) -> None:
    """Write the scene as `path`, whole or not at all; Blender renders it to the picture that the store holds.

    Raises SceneError where Blender is not there or cannot build the scene.
    """
    package_root = str(Path(__file__).resolve().parents[1])
    partial = path.with_name(f".{path.stem}.{os.getpid()}.blend")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scenes.blender.saving", str(partial.resolve())],
            input=json.dumps(to_plain(spec)).encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": package_root},
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode != 0 or not partial.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise SceneError(
                f"no .blend could be made ({said[-1] if said else 'no message'}): run 'python -m audit doctor'"
            )
        os.replace(partial, path)
    except subprocess.TimeoutExpired:
        raise SceneError(f"no .blend could be made: Blender did not answer within {TIMEOUT:g} s") from None
    finally:
        partial.unlink(missing_ok=True)

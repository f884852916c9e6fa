"""Rates: how long scenes of a kind took on this store, which `plan` estimates from. No result rests on them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from scenes.scene_spec import SceneSpec

FILE = "rates.json"
_REMEMBERED = 500  # scenes; older ones fade, since machines and their load change


def kind(spec: SceneSpec) -> str:
    """'80x64, 16 samples': what decides how long a scene takes, but for what stands in it."""
    camera = spec.camera
    return f"{camera.width}x{camera.height}, {spec.samples} samples" + (", denoised" if spec.denoise else "")


def seconds_of(root: Path) -> dict[str, float]:
    """Kind -> mean seconds of one worker per scene; empty where nothing was recorded or the file is damaged."""
    return {name: mean for name, (mean, _) in _read(root).items()}


def record(root: Path, measured: Mapping[str, tuple[float, int]]) -> None:
    """Add what was measured: kind -> (seconds in all, scenes). A store that cannot be written keeps what it has."""
    known = _read(root)
    for name, (seconds, scenes) in measured.items():
        mean, count = known.get(name, (0.0, 0))
        before = min(count, _REMEMBERED)
        known[name] = ((mean * before + seconds) / (before + scenes), before + scenes)
    partial = root / f".{FILE}.{os.getpid()}.partial"
    try:
        content = {name: {"seconds": round(mean, 4), "scenes": count} for name, (mean, count) in known.items()}
        partial.write_text(json.dumps(content, indent=1, sort_keys=True))
        os.replace(partial, root / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()


def _read(root: Path) -> dict[str, tuple[float, int]]:
    try:
        content = json.loads((root / FILE).read_text())
        return {str(n): (float(v["seconds"]), int(v["scenes"])) for n, v in content.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}

"""Verification: does the store hold what this machine renders now? A sample is rendered again and compared by bytes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.loading import load_models
from audit.progress import Progress
from audit.schema import ConfigError
from scenes.planning import Planned
from scenes.renderer import render
from scenes.store import Store, StoreError


def verification_table(config: AuditConfig) -> pd.DataFrame:
    """Render a sample of the designs' scenes anew, in a store of its own, and compare every file.

    Columns: scene_set, scene_id, cell (one that the scene stands for), result (same, differs, or why there is nothing
    to compare), changed (share of pixels whose colour differs), most (largest difference, 8-bit levels). The sample is
    drawn by hash from those the store has: the same seed, design and store, the same sample. Raises ConfigError where
    the store has none of them.
    """
    kept = parts.store(config)
    chosen = _sample(config, kept)
    with tempfile.TemporaryDirectory(prefix="scene-audit-verify-") as folder, Progress("verifying") as progress:
        fresh = Store(Path(folder))
        failed = render([p.spec for p in chosen], fresh, parts.workers(config), progress=progress.render).failed
        return pd.DataFrame([_compared(p, kept, fresh, failed.get(p.scene_id)) for p in chosen])


def _sample(config: AuditConfig, kept: Store) -> list[Planned]:
    planned = parts.plan(config, load_models(config).scene_sets)
    unique = {p.scene_id: p for p in planned if kept.has(p.scene_id)}
    if not unique:
        raise ConfigError(f"paths.store={config.paths.store}: holds none of these scenes; `render` fills it")
    ordered = sorted(unique, key=lambda i: hashlib.sha256(f"{config.seed}|verify|{i}".encode()).hexdigest())
    return [unique[i] for i in ordered[: config.renderer.verify]]


def _compared(planned: Planned, kept: Store, fresh: Store, failure: str | None) -> dict[str, object]:
    row: dict[str, object] = {
        "scene_set": planned.scene_set,
        "scene_id": planned.scene_id,
        "cell": f"{planned.cell.block}: {planned.cell.condition.key}",
        "changed": np.nan,
        "most": np.nan,
    }
    if failure is not None:
        return {**row, "result": f"not rendered: {failure}"}
    try:
        before, now = kept.picture(planned.scene_id), fresh.picture(planned.scene_id)
    except StoreError as error:
        return {**row, "result": str(error)}
    difference = np.abs(before.astype(int) - now.astype(int)) if before.shape == now.shape else np.full((1, 1, 3), 255)
    is_same = _contents(kept, planned.scene_id) == _contents(fresh, planned.scene_id)
    return {
        **row,
        "result": "same" if is_same else "differs",
        "changed": float(difference.any(axis=-1).mean()),
        "most": float(difference.max()),
    }


def _contents(store: Store, scene_id: str) -> Sequence[bytes]:
    return [path.read_bytes() for path in store.files(scene_id)]

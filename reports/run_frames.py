"""The tables of a run directory as frames, whole or restricted to what one scene set was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from audit import tables
from scenes.manifest import ABSENT, SCENES, of_set
from scenes.table import Table


def read_frames(folder: Path) -> dict[str, pd.DataFrame]:
    """Table name -> its rows; an empty frame where it was not written. Raises scenes.table.TableError."""
    return {t.name: _optional(t, folder) for t in (SCENES, *tables.ALL)}


def restricted(frames: Mapping[str, pd.DataFrame], scene_set: str, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The rows of one scene set and its models, without the columns of factors that the set lacks."""
    whole = frames[SCENES.name]
    scenes = of_set(whole, scene_set) if len(whole) else whole
    out = {SCENES.name: scenes}
    for name, frame in frames.items():
        if name == SCENES.name:
            continue
        rows = frame[frame["model"].isin(list(models))] if "model" in frame else frame
        if "model" not in frame and len(whole):
            rows = rows[rows["scene_id"].isin(set(scenes["scene_id"]))]
        factors = list(frame.attrs.get("factors") or ())
        absent = [f for f in factors if len(rows) and (rows[f] == ABSENT).all()]
        rows = rows.drop(columns=absent).reset_index(drop=True)
        rows.attrs["factors"] = [f for f in factors if f not in absent]
        out[name] = rows
    return out


def _optional(table: Table, folder: Path) -> pd.DataFrame:
    return table.read(folder) if (folder / f"{table.name}.parquet").is_file() else table.empty()

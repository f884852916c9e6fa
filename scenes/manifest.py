"""The table the rendering side hands over: one row per cell of the design, rendered or not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from scenes.table import Table

ABSENT = "-"  # the level of a factor that a scene set does not have

SCENES = Table(
    name="scenes",
    version=3,
    has_factors=True,
    key=("cell_id",),
    columns={
        "cell_id": "str",  # hash of (design, condition, block)
        "scene_id": "str",  # content hash of the SceneSpec: cells with equal content share it, and its render
        "scene_set": "str",  # tabletop, studio, pictures
        "block_id": "str",  # the scene seed, or object and pose ('lemon.3'): the unit of replication
        "stratum": "str",  # what the block was drawn for: near, far, empty; in the studio the object
        "values": "str",  # exact settings of sampled factors, 'distance=0.137 light_strength=0.52'; else empty
        "status": "str",  # ok, failed (no render), rejected (a render check said no)
        "reason": "str",  # why not ok; empty when ok
        "shape": "str",
        "distance_m": "float",  # from the sensors' arc to the obstacle's nearest face; NaN without obstacle
        "albedo_delta_e": "float",  # CIEDE2000 between mean linear albedo of visible object and floor
        "contour_delta_e": "float",  # CIEDE2000 of the rendered picture across the object's outline, median
        "box_left": "float",  # the object's bounding box in px from the picture's corner, at the outer edges of its
        "box_top": "float",  # outermost pixels: right - left is its width; NaN where no object is seen
        "box_right": "float",
        "box_bottom": "float",
        # object pixels over those that it would cover with nothing before it on an endless picture; NaN without object
        "visible_fraction": "float",
        "object_px": "float",  # pixels of the object mask
        "shadow_px": "float",  # sum of cast-shadow strength on the floor
        "outside_px": "float",  # the same of shadows from outside the frame
        "reflection_px": "float",  # floor pixels that mirror the object
        "distractor_px": "float",  # pixels of distractors
        "object_clipped": "float",  # share of object pixels with a channel at 0 or 255
        "floor_clipped": "float",
        "mean_luminance": "float",  # of the picture, linear, [0, 1]
    },
)


def of_set(scenes: pd.DataFrame, scene_set: str) -> pd.DataFrame:
    """The rows of SCENES of one scene set, with the factors that set has alone; attrs["factors"] names them."""
    rows = scenes[scenes["scene_set"] == scene_set]
    absent = [f for f in scenes.attrs["factors"] if (rows[f] == ABSENT).all()]
    found = rows.drop(columns=absent).reset_index(drop=True)
    found.attrs["factors"] = [f for f in scenes.attrs["factors"] if f not in absent]
    return found


def laid_together(table: Table, frames: Sequence[pd.DataFrame], factors: Sequence[str]) -> pd.DataFrame:
    """The rows of several scene sets as one frame of `table`; where a set lacks a factor its level is ABSENT."""
    filled = [frame for frame in frames if len(frame)]
    whole = pd.concat(filled, ignore_index=True) if filled else table.empty(factors)
    return whole.assign(**{f: whole[f].fillna(ABSENT) if f in whole else ABSENT for f in factors})

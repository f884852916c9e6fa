"""Covering: what the target does as the pixels that a map names are taken away, or put back.

Taken away means blurred, or, where the design has the arm, replaced by the same scene rendered without its object:
blur makes pictures the network has never seen, the rendered removal makes one that it could meet. Pixels are exchanged
in the picture, before normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from audit import parts
from audit.attention import null_maps
from audit.attention.faithfulness import Scores, blurred, faithfulness
from audit.attribution import attribute
from audit.attribution.targets import Target
from audit.config import AuditConfig
from audit.metrics.arrays import Pixels
from audit.metrics.regions import WHOLE
from audit.models.adapter import Adapter
from audit.models.device import repeatable_arithmetic
from audit.models.frozen import frozen
from audit.models.randomised import randomised
from scenes.design import PRESENCE, derive_seed

NO_NETWORK = "-"
BLURRED, REMOVED = "blurred", "removed"
UNSEEN_BY_ARMS = ("relation", "color_difference", "object_color")  # what a scene without its object does not depend on
SHADOW, NO_SHADOW = "cast_shadow", "none"
DECIMALS = 6  # the last bits of a sum depend on where memory lies


@dataclass(frozen=True)
class Chosen:
    """Scenes whose maps are followed: ids, and of each the scene that shows it without the object."""

    ids: tuple[str, ...]
    without: tuple[str, ...]


def chosen(scenes: pd.DataFrame, ids: Sequence[str], control: Mapping[str, str], count: int) -> Chosen:
    """At most `count` of the scenes `ids` whose object was also rendered away, those at control first.

    scenes: rows of SCENES of one scene set; its factors are in attrs. One scene of a block comes before a second.
    """
    names = [f for f in scenes.attrs["factors"] if f != PRESENCE]
    usable = scenes[scenes["status"] == "ok"]
    arms = {arm: _by_key(usable[usable[PRESENCE] == arm], names, arm) for arm in ("ghost", "empty")}
    rows = usable[usable["scene_id"].isin(list(ids)) & (usable[PRESENCE] == "object")].copy()
    rows["without"] = [_without(row, names, arms) for _, row in rows.iterrows()]
    rows["is_off"] = [any(row[f] != control[f] for f in names if f in control) for _, row in rows.iterrows()]
    rows = rows[rows["without"] != ""].sort_values(["is_off", "block_id", "cell_id"], kind="stable")
    rows["turn"] = rows.groupby(["is_off", "block_id"]).cumcount()
    rows = rows.sort_values(["is_off", "turn", "block_id", "cell_id"], kind="stable").drop_duplicates("scene_id")
    taken = rows.head(count)
    return Chosen(tuple(taken["scene_id"]), tuple(taken["without"]))


def covered(
    config: AuditConfig, adapter: Adapter, methods: Sequence[str], scenes: Chosen, target: Target
) -> pd.DataFrame:
    """Rows of ATTENTION without the model: the four metrics of every method and of maps that know nothing.

    target: bound by the places of `scenes.ids`. chance: what the random map of the scene scores.
    """
    if not scenes.ids:
        return pd.DataFrame()
    how, store = config.attribution, parts.store(config)
    images, removed = (np.stack([store.picture(i) for i in ids]) for ids in (scenes.ids, scenes.without))
    maps = _maps(config, adapter, images, methods, target, scenes.ids)
    pictures = adapter.preprocessing.unit(images, adapter.device).float()
    references = {BLURRED: blurred(pictures), REMOVED: adapter.preprocessing.unit(removed, adapter.device).float()}
    with torch.inference_mode(False), torch.no_grad(), frozen(adapter.module), repeatable_arithmetic():
        scores = _scores(adapter, pictures, target)
        found = {
            (method, source, kind): faithfulness(
                torch.from_numpy(np.ascontiguousarray(drawn)),
                pictures,
                reference,
                scores,
                how.faithfulness.steps,
                how.batch,
            )
            for (method, source), drawn in maps.items()
            for kind, reference in references.items()
        }
    rows = []
    for (method, source, kind), curves in found.items():
        random = found[NO_NETWORK, "random", kind]
        for name, own, free in (
            ("deletion", curves.deletion_auc, random.deletion_auc),
            ("insertion", curves.insertion_auc, random.insertion_auc),
        ):
            rows.append(
                pd.DataFrame(
                    {
                        "scene_id": scenes.ids,
                        "method": method,
                        "source": source,
                        "metric": f"{name}_{kind}",
                        "region": WHOLE,
                        "value": own.cpu().numpy().round(DECIMALS),
                        "chance": free.cpu().numpy().round(DECIMALS),
                        "undefined_reason": curves.undefined_reason,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def _maps(
    config: AuditConfig, adapter: Adapter, images: Pixels, methods: Sequence[str], target: Target, ids: Sequence[str]
) -> dict[tuple[str, str], np.ndarray]:
    """(method, source) -> maps (N, h, w)."""
    how = config.attribution
    height, width = adapter.preprocessing.height, adapter.preprocessing.width
    untrained = randomised(adapter, derive_seed(config.seed, "untrained"))
    held: dict[tuple[str, str], np.ndarray] = {}
    for source, asked in (("model", adapter), ("untrained", untrained)):
        found = attribute(asked, images, target, methods, how.batch, how.settings, how.gradient_at)
        held |= {(method, source): drawn for method, drawn in found.items()}
    random = [null_maps.random(height, width, derive_seed(config.seed, "random map", i)).numpy() for i in ids]
    held[NO_NETWORK, "edges"] = null_maps.edges(torch.from_numpy(images)).numpy()
    held[NO_NETWORK, "gaussian"] = np.repeat(null_maps.gaussian(height, width).numpy()[None], len(ids), axis=0)
    held[NO_NETWORK, "random"] = np.stack(random)
    return held


def _scores(adapter: Adapter, pictures: torch.Tensor, target: Target) -> Scores:
    """The target of altered pictures, bound to the pictures as they are."""

    def logits(altered: torch.Tensor) -> torch.Tensor:
        return adapter.module(adapter.preprocessing.normalised(altered.double()))[:, : adapter.task.outputs].float()

    as_they_are = torch.cat([logits(picture[None]) for picture in pictures])

    def scores(altered: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        return target(as_they_are[of], of.tolist())(logits(altered))

    return scores


def _by_key(rows: pd.DataFrame, names: Sequence[str], presence: str) -> dict[tuple[str, ...], str]:
    return {_key(row, names, presence): str(row["scene_id"]) for _, row in rows.iterrows()}


def _without(row: pd.Series, names: Sequence[str], arms: Mapping[str, Mapping[tuple[str, ...], str]]) -> str:
    """The scene that shows `row` without its object, '' where it was not rendered."""
    presence = "empty" if row.get(SHADOW) == NO_SHADOW or not arms["ghost"] else "ghost"
    return arms[presence].get(_key(row, names, presence), "")


def _key(row: pd.Series, names: Sequence[str], presence: str) -> tuple[str, ...]:
    """What a scene and the arm that shows it without its object share."""
    free = UNSEEN_BY_ARMS if presence == "ghost" else (*UNSEEN_BY_ARMS, SHADOW)
    return (str(row["block_id"]), *(str(row[f]) for f in names if f not in free))

"""Randomising: whether maps change when what a network has learned is taken away from it, layer after layer.

As a stage it writes `sanity` and `sanity_verdict` of the scenes of a run; as a command it renders what it needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.loading import Loaded, load_models
from audit.models.adapter import Adapter
from audit.progress import Progress
from audit.sanity import CASCADING, DRAWS, compared, not_checked, sanity_rows, verdict_rows
from audit.schema import ConfigError
from audit.stages import rendering
from audit.stages.predicting import stacked
from audit.tables import LABELS, SANITY, SANITY_VERDICT
from scenes.design import derive_seed
from scenes.manifest import SCENES, of_set

NO_SCENES = "no scene at control with an object and a target"

Shown = tuple[str, str, np.ndarray]  # scene id, block id, label (K,)


def check_sanity(config: AuditConfig, loaded: Loaded, folder: Path) -> None:
    """Write `sanity` and `sanity_verdict`, a row per model and method; no rows where attribution.sanity.scenes is 0.

    Checked are maps of what is true of the scenes, whatever attribution.target names: a check of the method.
    """
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")["label"]
    adapters, tables = list(loaded.adapters.values()), []
    with Progress("checking maps") as progress:
        for number, adapter in enumerate(adapters if config.attribution.sanity.scenes else (), 1):
            methods = loaded.methods_of(adapter.name, config)
            tables.append(_of_model(config, adapter, methods, _at_control(config, adapter, scenes, labels)))
            progress.step(number, len(adapters))
    for table, frames in zip((SANITY, SANITY_VERDICT), zip(*tables, strict=True), strict=True) if tables else ():
        filled = [frame for frame in frames if len(frame)]
        table.write(pd.concat(filled, ignore_index=True) if filled else table.empty(), folder, csv=True)
    if not tables:
        SANITY.write(SANITY.empty(), folder, csv=True)
        SANITY_VERDICT.write(SANITY_VERDICT.empty(), folder, csv=True)


def sanity_lines(config: AuditConfig) -> Iterator[str]:
    """The command: the checks of every model, on scenes at control, which are rendered where the store lacks them.

    Raises ConfigError where no scene or no model is left to check, and whatever a run raises before it renders.
    """
    if not config.attribution.sanity.scenes:
        raise ConfigError("attribution.sanity.scenes=0: there is nothing to check; set it to 1 or more, 8 by default")
    loaded = load_models(config)
    for adapter in loaded.adapters.values():
        shown = _rendered(config, adapter)
        if not shown:
            raise ConfigError(f"model {adapter.name}: {NO_SCENES}; choose another design or more design.seeds")
        sanity, verdicts = _of_model(config, adapter, loaded.methods_of(adapter.name, config), shown)
        yield from _told(adapter.name, sanity, verdicts)


def spread(blocks: Sequence[str], count: int) -> list[int]:
    """The numbers of at most `count` of `blocks`, evenly over them in counting order, so over objects too; of a block
    its first alone. Ascending."""
    first = {block: i for i, block in reversed(list(enumerate(blocks)))}
    ordered = sorted(first, key=_counting)
    taken = min(count, len(ordered))
    return sorted(first[ordered[i * len(ordered) // taken]] for i in range(taken))


def _counting(block: str) -> tuple[str, int]:
    of, _, number = block.rpartition(".")
    return of, int(number)


def _of_model(
    config: AuditConfig, adapter: Adapter, methods: Sequence[str], shown: Sequence[Shown]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of both tables of one network."""
    settings, limit = config.attribution, config.attribution.sanity.limit
    if not shown:
        return SANITY.empty(), not_checked(adapter.name, methods, limit, NO_SCENES)
    store = parts.store(config)
    images = [store.picture(scene_id) for scene_id, _, _ in shown]
    target = np.stack([label == 1 for _, _, label in shown])
    seeds = [[derive_seed(config.seed, "sanity", scene_id, draw) for draw in range(DRAWS)] for scene_id, _, _ in shown]
    found = compared(adapter, images, target, [block for _, block, _ in shown], seeds, methods, settings)
    return sanity_rows(found), verdict_rows(found, limit)


def _at_control(config: AuditConfig, adapter: Adapter, scenes: pd.DataFrame, labels: pd.Series) -> list[Shown]:
    """The scenes of a run on which one network's maps are checked."""
    mine = of_set(scenes, adapter.task.scene_set)
    control = parts.design(config, adapter.task.scene_set).control
    at = (mine["status"] == "ok") & (mine["object_px"] > 0)
    for factor in mine.attrs["factors"]:
        at &= (mine[factor] == control[factor]) if factor in control else True
    mine = mine[at].sort_values("cell_id")
    label = stacked(labels.loc[mine["scene_id"]], adapter.task)
    has_target = (label == 1).any(axis=1)
    mine, label = mine[has_target], label[has_target]
    ids, blocks = mine["scene_id"].to_list(), mine["block_id"].to_list()
    return [(ids[i], blocks[i], label[i]) for i in spread(blocks, config.attribution.sanity.scenes)]


def _rendered(config: AuditConfig, adapter: Adapter) -> list[Shown]:
    """The same without a run: only these scenes are rendered. One that fails or shows no object is left out."""
    scene_set = adapter.task.scene_set
    if scene_set not in config.designs:
        raise ConfigError(f"pictures have no ground truth: choose a design of the {scene_set} for model {adapter.name}")
    here = dataclasses.replace(config, designs={scene_set: dataclasses.replace(config.designs[scene_set], arms=False)})
    control, found = parts.design(here, scene_set).control, []
    for planned in parts.plan(here, [scene_set]):
        levels = dict(planned.cell.condition.levels)
        label = adapter.task.label(planned.spec.objects)
        at_control = all(levels[f] == control[f] for f in levels if f in control)
        if at_control and (label == 1).any():
            found.append((planned, label))
    found.sort(key=lambda pair: pair[0].cell_id)
    chosen = [found[i] for i in spread([p.cell.block for p, _ in found], config.attribution.sanity.scenes)]
    failed = rendering.render_scenes(here, [planned for planned, _ in chosen]).failed
    store = parts.store(here)
    there = [(p.scene_id, p.cell.block, label) for p, label in chosen if p.scene_id not in failed]
    return [shown for shown in there if store.read(shown[0]).object.any()]


def _told(model: str, sanity: pd.DataFrame, verdicts: pd.DataFrame) -> Iterator[str]:
    """One model's verdicts as a table for the terminal, a method a line."""
    steps = int(sanity["position"].max()) if len(sanity) else 0
    scenes = int(verdicts["scenes"].max()) if len(verdicts) else 0
    yield (
        f"{model}: {scenes} scenes at control, layers randomised in {steps} steps from the output to the input;"
        " maps of what is true of the scenes"
    )
    if not len(verdicts):
        yield "  no method of attribution.methods can be asked of this network"
        return
    last = sanity[(sanity["randomisation"] == CASCADING) & (sanity["position"] == steps)].set_index("method")
    ends = zip(verdicts["low"], verdicts["high"], strict=True)
    spans = [f"[{_number(low)}, {_number(high)}]" for low, high in ends]
    told = pd.DataFrame(
        {
            "method": verdicts["method"],
            "cascade": [_number(v) for v in verdicts["similarity"]],
            "interval": spans,
            **{
                title: [_number(float(last.loc[m, column])) for m in verdicts["method"]]
                for title, column in (("at the end", "rank_correlation"), ("SSIM", "ssim"))
            },
            "other scenes": [_number(v) for v in verdicts["other_scenes"]],
            "verdict": ["passes" if p else r for p, r in zip(verdicts["passes"], verdicts["reason"], strict=True)],
        }
    )
    yield from (f"  {line}" for line in told.to_string(index=False).splitlines())
    limit = float(verdicts["limit"].iloc[0])
    yield f"  rank correlation with the maps of the network as it is; a method fails at a mean of {limit:g} or more"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"

"""Analysing: from scores per cell to conditions, effects, interventions, failure conditions and the verdict.

Each scene set is analysed by itself, with its own factors and the networks that were shown it; what is found is laid
together into one table of each kind and one verdict.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from audit import parts
from audit.analysis import Analysis, ModelFacts, analyse, merged
from audit.attribution.engine import PICTURE
from audit.attribution.methods import INPUT, METHODS
from audit.config import AttributionConfig, AuditConfig
from audit.models.adapter import Adapter
from audit.run_directory import write_json
from audit.stages.gating import sampled_of
from audit.tables import (
    ATTENTION,
    CONDITION_AUC,
    CONDITIONS,
    EARNED,
    EFFECTS,
    FAILURES,
    INTERVENTIONS,
    PREDICTIONS,
    SANITY_VERDICT,
)
from scenes import factors
from scenes.design import OBJECT
from scenes.manifest import SCENES, laid_together, of_set
from scenes.table import Table


def conclude(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path, command: str) -> dict[str, object]:
    """Write the analysis tables as Parquet and CSV, and verdict.json, which is returned."""
    scenes = SCENES.read(folder)
    sets = tuple(dict.fromkeys(a.task.scene_set for a in adapters.values()))
    found = {s: _of_set(config, adapters, s, of_set(scenes, s), folder, command) for s in sets}
    _write(CONDITIONS, [f.conditions for f in found.values()], folder, scenes.attrs["factors"])
    _write(EFFECTS, [f.effects for f in found.values()], folder)
    _write(INTERVENTIONS, [f.interventions for f in found.values()], folder)
    _write(EARNED, [declared(f.earned, adapters, config.attribution) for f in found.values()], folder)
    _write(FAILURES, [f.failures for f in found.values()], folder)
    write_json(folder / "verdict.json", merged({s: f.verdict for s, f in found.items()}, config.criterion))
    return json.loads((folder / "verdict.json").read_text())


def _of_set(
    config: AuditConfig,
    adapters: Mapping[str, Adapter],
    scene_set: str,
    scenes: pd.DataFrame,
    folder: Path,
    command: str,
) -> Analysis:
    facts = {
        name: ModelFacts(factors.expanded(a.recipe or {}), a.threshold, a.task.name)
        for name, a in adapters.items()
        if a.task.scene_set == scene_set
    }
    names, design = [*scenes.attrs["factors"]], parts.design(config, scene_set)
    auc = of_models(CONDITION_AUC.read(folder), facts)
    return analyse(
        scenes,
        of_models(PREDICTIONS.read(folder), facts),
        of_models(ATTENTION.read(folder), facts),
        facts,
        config.criterion,
        design.control,
        partial(reproduce, config, scene_set, list(facts), command),
        auc=auc.drop(columns=[f for f in auc.attrs["factors"] if f not in names]),
        methods=config.attribution.methods,
        target=config.attribution.target,
        sanity=of_models(SANITY_VERDICT.read(folder), facts),
        partners=parts.partners(config, scene_set),
        sampled=sampled_of(design),
    )


def declared(earned: pd.DataFrame, adapters: Mapping[str, Adapter], attribution: AttributionConfig) -> pd.DataFrame:
    """EARNED with what was attributed and how; another target, layer or reduction is another question."""
    frame = earned.copy()
    methods = [METHODS[name] for name in frame["method"]]
    models = [adapters[name] for name in frame["model"]]
    at_pixels = attribution.gradient_at == PICTURE
    frame["target"] = attribution.target
    frame["layer"] = [INPUT if m.place == INPUT else a.target_layer for m, a in zip(methods, models, strict=True)]
    frame["reduction"] = [m.reduction for m in methods]
    frame["through_standardisation"] = [
        at_pixels and m.place == INPUT and a.preprocessing.normalisation == "per_image"
        for m, a in zip(methods, models, strict=True)
    ]
    return frame


def of_models(table: pd.DataFrame, models: Mapping[str, object]) -> pd.DataFrame:
    """The rows of some models; attrs stay."""
    found = table[table["model"].isin(list(models))].reset_index(drop=True)
    found.attrs = dict(table.attrs)
    return found


def _write(table: Table, frames: Sequence[pd.DataFrame], folder: Path, factors: Sequence[str] = ()) -> None:
    table.write(laid_together(table, frames, factors), folder, factors=factors, csv=True)


def reproduce(
    config: AuditConfig, scene_set: str, models: Sequence[str], command: str, contrast: str, blocks: Sequence[str]
) -> str:
    """The command that renders and scores a finding's scenes, their controls and their arms alone.

    models: those that were shown the set; where there are others, only they are asked again. Folders that were typed
    are left out: tables name no places, and equal runs elsewhere have equal tables.
    """
    design = parts.design(config, scene_set)
    typed = [w for w in shlex.split(command) if not _is_left_out(w, config, models)]
    typed = typed[typed.index("run") + 1 :] if "run" in typed else []
    if len(config.designs) > 1:
        typed.append(f"model=[{','.join(models)}]")
    pairs = dict(pair.split("=") for pair in contrast.split(" & "))
    kept = [_keep(f, _beside(config, scene_set, f, level)) for f, level in pairs.items()]
    if design.crossing == "one_at_a_time":  # else the other factors' levels would come along, which are no part of it
        kept += [_keep(f, [design.control[f]]) for f in design.factors if f not in pairs]
    numbers = sorted({int(block.rsplit(".", 1)[-1]) for block in blocks})
    if len(numbers) < design.blocks:  # a finding on all blocks needs no list of them
        kept.append(f"design.keep.seeds=[{','.join(str(n) for n in numbers)}]")
    words = [w if _is_plain(w) else shlex.quote(w) for w in (*typed, *(word for word in kept if word))]
    return " ".join(["python -m audit run", *words])


def _beside(config: AuditConfig, scene_set: str, factor: str, level: str) -> list[str]:
    """What is to be kept of a factor: the level beside what it is contrasted with; of a sampled factor the bin alone,
    which brings the control and its bin along. Nothing where all points are what it is contrasted with."""
    if factor == OBJECT:
        return [level]
    design, compared = parts.design(config, scene_set), parts.partners(config, scene_set)
    reference = compared.get(factor, {}).get(level, design.references.get(factor))
    if reference is None:
        return []
    return [level] if factor in design.ranges else list(dict.fromkeys((reference, level)))


def _keep(factor: str, levels: Sequence[str]) -> str:
    """The setting that keeps levels of a factor, '' for all of them. A number is quoted, or it would be read as one."""
    texts = [f'"{level}"' if _is_number(level) else level for level in levels]
    return f"design.keep.{factor}=[{','.join(texts)}]" if texts else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_plain(word: str) -> bool:
    """Whether a shell takes the word as it stands, as it does brackets around names that are no files."""
    return re.fullmatch(r"[\w@%+=:,./\[\]~-]+", word) is not None


def _is_left_out(word: str, config: AuditConfig, models: Sequence[str]) -> bool:
    """Whether a word of the command is about folders, parts that were kept, or models that are not asked again."""
    key = word.partition("=")[0].lstrip("+~")
    kept = key.startswith(("paths.", "--debug")) or ".keep." in f"{key}."
    if len(config.designs) == 1:
        return kept
    others = tuple(f"models.{name}." for name in config.models if name not in models)
    return kept or key == "model" or f"{key}.".startswith(others)

"""Analysing: from scores per cell to conditions, effects, interventions, failure conditions and the verdict."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit import parts
from audit.analysis import ModelFacts, analyse
from audit.config import AuditConfig
from audit.models.adapter import Adapter
from audit.run_directory import write_json
from audit.tables import ATTENTION, CONDITION_AUC, CONDITIONS, EARNED, EFFECTS, FAILURES, INTERVENTIONS, PREDICTIONS
from scenes.manifest import SCENES


def conclude(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path, command: str) -> dict[str, object]:
    """Write the analysis tables as Parquet and CSV, and verdict.json, which is returned."""
    scenes = SCENES.read(folder)
    facts = {name: ModelFacts(a.recipe or {}, a.threshold) for name, a in adapters.items()}
    found = analyse(
        scenes,
        PREDICTIONS.read(folder),
        ATTENTION.read(folder),
        facts,
        config.criterion,
        parts.design(config).control,
        lambda contrast, blocks: reproduce(config, command, contrast, blocks),
        auc=CONDITION_AUC.read(folder),
        methods=config.attribution.methods,
    )
    CONDITIONS.write(found.conditions, folder, factors=scenes.attrs["factors"], csv=True)
    for table, frame in (
        (EFFECTS, found.effects),
        (INTERVENTIONS, found.interventions),
        (EARNED, found.earned),
        (FAILURES, found.failures),
    ):
        table.write(frame, folder, csv=True)
    write_json(folder / "verdict.json", found.verdict)
    return json.loads((folder / "verdict.json").read_text())


def reproduce(config: AuditConfig, command: str, contrast: str, blocks: Sequence[str]) -> str:
    """The command that renders and scores a finding's scenes, their controls and their arms alone.

    Folders that were typed are left out: tables name no places, and equal runs elsewhere have equal tables.
    """
    design = parts.design(config)
    control = design.control
    typed = [w for w in shlex.split(command) if not w.startswith(("paths.", "design.keep.", "--debug"))]
    typed = typed[typed.index("run") + 1 :] if "run" in typed else []
    kept = []
    for pair in contrast.split(" & "):
        factor, level = pair.split("=")
        kept.append(f"design.keep.{factor}=[{','.join(dict.fromkeys((control[factor], level)))}]")
    if len(blocks) < design.blocks:  # a finding on all blocks needs no list of them
        kept.append(f"design.keep.seeds=[{','.join(str(b) for b in blocks)}]")
    return " ".join(["python -m audit run", *(shlex.quote(w) if " " in w else w for w in typed), *kept])

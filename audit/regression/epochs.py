"""Checkpoints over training: every checkpoint of a folder audited on the same scenes, and what became of each gate.

One process audits them one after the other; of each run only its table of gates is kept in memory. What was audited
before is not audited again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from audit.analysis.gate_measures import CONDITION
from audit.config import AuditConfig
from audit.models.checkpoint import SUFFIXES
from audit.models.errors import ModelError
from audit.regression.auditing import Auditor, with_checkpoint
from audit.regression.kept_run import KeptRun
from audit.regression.watching import checkpoints
from audit.regression.wording import gate_name, number
from audit.run_directory import run_directory
from audit.schema import ConfigError
from audit.tables import DEVELOPMENT, EFFECTS, EPOCHS, GATE_VALUES
from scenes.design import DesignError

FOLDER = "epochs"  # below paths.outputs
_SHOWN = 8  # lines of gates, and of broken files

WriteEpochs = Callable[[Path, str, pd.DataFrame, pd.DataFrame], Path]  # folder, title, DEVELOPMENT, EPOCHS -> the page


@dataclass(frozen=True)
class Development:
    """epochs: EPOCHS, a row per file. values: DEVELOPMENT, of those that could be audited."""

    model: str
    epochs: pd.DataFrame
    values: pd.DataFrame


def checkpoints_of(folder: Path) -> list[Path]:
    """The checkpoint files of a folder in the order in which a person counts: epoch_2 before epoch_10.

    Hidden and unfinished files are left out. Raises ConfigError where there is no such folder, or no checkpoint in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"folder={folder}: {'is no folder' if folder.exists() else 'there is no such folder'}")
    found = sorted((path for path, _ in checkpoints(folder)), key=lambda p: natural(p.name))
    if not found:
        raise ConfigError(f"folder={folder}: no checkpoint in it; they end in {', '.join(SUFFIXES)}")
    return found


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key by which names are ordered as people do: digits count as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts)


def audit_epochs(
    files: Sequence[Path], config: AuditConfig, model: str, auditor: Auditor, say: Callable[[str], None]
) -> Development:
    """Audit every file, in order. A file that cannot be used is listed with its reason, and the next one follows."""
    names = _names(files)
    epochs: list[dict[str, Any]] = []
    values: list[pd.DataFrame] = []
    for position, (name, file) in enumerate(zip(names, files, strict=True)):
        row = {"position": position, "name": name, "file": file.name}
        row |= dict.fromkeys(("sha256", "run_id", "verdict", "reason"), "")
        try:
            run = auditor.audited(with_checkpoint(config, model, str(file)))
            values.append(_values(run, model, position, name))
            row |= {"sha256": run.sha256(model), "run_id": run.run_id, "verdict": _verdict(run)}
            say(f"{position + 1} of {len(files)}  {name}: {row['verdict']}, {run.run_id}")
        except (ModelError, DesignError) as error:
            row["reason"] = " ".join(str(error).split())
            say(f"{position + 1} of {len(files)}  {name}: left out: {row['reason']}")
        epochs.append(row)
    table = pd.concat(values, ignore_index=True) if values else DEVELOPMENT.empty()
    return Development(model, pd.DataFrame(epochs, columns=list(EPOCHS.columns)), table)


def write_development(found: Development, outputs: Path, title: str, write_page: WriteEpochs) -> Path:
    """Write the directory, whole or not at all, and return it."""
    with run_directory(outputs / FOLDER, title) as (folder, final):
        DEVELOPMENT.write(found.values, folder, csv=True)
        EPOCHS.write(found.epochs, folder, csv=True)
        write_page(folder, title, found.values, found.epochs)
    return final


def printed(found: Development) -> list[str]:
    """How the gates that matter developed, and what failed: at most 20 lines."""
    own = found.values[found.values["kind"].isin(("overall", "intervention"))]
    lines = [
        f"  {gate_name(first)}: {number(first['mean'], first['metric'])} at {first['name']} ->"
        f" {number(last['mean'], last['metric'])} at {last['name']}"
        for first, last in _ends(own)
    ][:_SHOWN]
    conditions = found.values[found.values["kind"] == CONDITION]
    counts = conditions.groupby("name", sort=False)["is_failure"].sum()
    ordered = [n for n in found.epochs["name"] if n in counts.index]
    lines += [f"failures  {', '.join(f'{counts[n]} at {n}' for n in ordered)}"] if 0 < len(ordered) <= _SHOWN else []
    broken = found.epochs[found.epochs["reason"] != ""]
    lines += [f"left out  {row.file}: {row.reason}" for row in broken.head(3).itertuples()]
    return [f"{len(found.epochs) - len(broken)} of {len(found.epochs)} checkpoints audited", *lines]


def _ends(values: pd.DataFrame) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for _, group in values.groupby(["kind", "metric", "where"], sort=False):
        rows = [{str(k): v for k, v in r.items()} for r in group.sort_values("position").to_dict("records")]
        yield rows[0], rows[-1]


def _names(files: Sequence[Path]) -> list[str]:
    """The files' names without what they all end in; whole where that would leave two alike."""
    stems = [f.stem for f in files]
    return stems if len(set(stems)) == len(stems) else [f.name for f in files]


def _values(run: KeptRun, model: str, position: int, name: str) -> pd.DataFrame:
    """DEVELOPMENT of one run."""
    gates = run.table(GATE_VALUES)
    effects = run.table(EFFECTS)
    own = effects[(effects["model"] == model) & (effects["method"] == "-")]
    against = own.rename(columns={"contrast": "where", "ci_low": "effect_low", "ci_high": "effect_high"})
    against = against[["metric", "where", "effect", "effect_low", "effect_high"]].assign(kind=CONDITION)
    found = gates[gates["model"] == model].merge(against, on=["kind", "metric", "where"], how="left")
    return found.assign(position=position, name=name, run_id=run.run_id)[list(DEVELOPMENT.columns)]


def _verdict(run: KeptRun) -> str:
    """The run's own verdict, '' where it cannot be read."""
    try:
        return str(json.loads((run.folder / "verdict.json").read_text("utf-8")).get("verdict", ""))
    except (OSError, ValueError):
        return ""

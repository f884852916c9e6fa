"""History: the gates of every finished run that can be held beside the others, by DuckDB over the runs' Parquet files.

Nothing is kept but the run directories themselves: DuckDB works in memory, so there is no database to lock, to migrate
or to lose. A trend is drawn over runs of one experiment alone: the same settings and the same scenes, pixel for pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from audit.analysis.trend import trends
from audit.config import AuditConfig
from audit.models.checkpoint import PACKAGED, SUFFIXES
from audit.regression.auditing import settings_digest
from audit.regression.kept_run import KeptRun, open_run
from audit.schema import ConfigError
from audit.tables import GATE_VALUES, HISTORY, STEPS
from scenes.table import TableError

_LONGEST = 24  # letters of a checkpoint's name
_FACTS = ("file", "run_id", "created", "model", "checkpoint", "sha256")
# Of the runs of one checkpoint the newest counts; it stands where the checkpoint was first audited.
_QUERY = """
with audited as (
  select *,
    min(run_id) over (partition by model, sha256) as first_run,
    row_number() over (partition by model, sha256 order by run_id desc) as age
  from facts
),
kept as (
  select *, dense_rank() over (partition by model order by first_run, sha256) - 1 as position
  from audited where age = 1
)
select g.model, g.kind, g.metric, g."where", kept.position, '' as name, kept.run_id,
  g.mean, g.ci_low, g.ci_high, g.n, g.is_lower_better, g.is_failure, kept.created, kept.checkpoint, kept.sha256
from read_parquet($files, filename = true) g join kept on g.filename = kept.file and g.model = kept.model
order by g.model, g.kind, g.metric, g."where", kept.position
"""


@dataclass(frozen=True)
class LeftOut:
    """A folder that has no part in the history. reason: why, after its name."""

    folder: str
    reason: str


@dataclass(frozen=True)
class History:
    """values: HISTORY. settings, scenes: digests that all its runs share. left_out: what else is in the folder."""

    experiment: str
    settings: str
    scenes: str
    values: pd.DataFrame
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Kept:
    """A finished run that this version can read."""

    run: KeptRun
    settings: str
    scenes: str

    @property
    def file(self) -> Path:
        return self.run.folder / f"{GATE_VALUES.name}.parquet"


def history(outputs: Path, config: AuditConfig, model: str | None, is_exact: bool) -> History:
    """The gates over the checkpoints that were audited with one experiment's settings on the same scenes.

    Of several settings those of `config` are taken; where no run has them, those of the newest run of its experiment,
    unless is_exact. model: its gates alone. Raises ConfigError where no run is left.
    """
    kept, left_out = _readable(outputs)
    own = [k for k in kept if k.run.config.experiment == config.experiment and _has(k.run, model)]
    chosen = [k for k in own if k.settings == settings_digest(config)] or ([] if is_exact else own)
    if not chosen:
        raise ConfigError(_nothing(outputs, config, model, kept, left_out))
    newest = chosen[-1]
    same = [k for k in own if (k.settings, k.scenes) == (newest.settings, newest.scenes)]
    values, unreadable = _values(same, model)
    broken = {u.folder for u in unreadable}
    others = [LeftOut(k.run.run_id, _why_other(k, newest, model)) for k in kept if k not in same]
    if not len(values):
        raise ConfigError(_nothing(outputs, config, model, [], [*left_out, *unreadable]))
    told = [*left_out, *unreadable, *(o for o in others if o.folder not in broken)]
    return History(
        config.experiment, newest.settings, newest.scenes, values, tuple(sorted(told, key=lambda o: o.folder))
    )


def history_of(run: KeptRun, outputs: Path) -> pd.DataFrame:
    """HISTORY of the models of a run, which need not be published yet, over the finished runs of its settings and
    scenes; empty where no other checkpoint was audited so."""
    if not (run.folder / f"{GATE_VALUES.name}.parquet").is_file():  # pictures without ground truth
        return HISTORY.empty()
    own = Kept(run, settings_digest(run.config), run.scenes_digest)
    kept, _ = _readable(outputs, run.config.experiment)
    same = [k for k in kept if (k.settings, k.scenes) == (own.settings, own.scenes) and k.run.run_id != run.run_id]
    values, _ = _values([*same, own], None)
    values = values[values["model"].isin(list(run.models))]
    several = values.groupby("model")["position"].transform("nunique") > 1
    return values[several].reset_index(drop=True)


def keep_history(folder: Path, outputs: Path) -> None:
    """Write HISTORY and STEPS into the folder of a run that is about to be published, for its page; where it is the
    first of its settings and scenes, nothing."""
    values = history_of(open_run(folder), outputs)
    if len(values):
        HISTORY.write(values, folder, csv=True)
        STEPS.write(trends(values)[1], folder, csv=True)


def _readable(outputs: Path, experiment: str | None = None) -> tuple[list[Kept], list[LeftOut]]:
    """Finished runs, oldest first, and what is none though it looks like one, or is of another version. experiment:
    its runs alone."""
    kept, left_out = [], []
    for folder in _candidates(outputs):
        try:
            run = open_run(folder)
            if experiment is not None and run.record.get("experiment") != experiment:
                continue
            _check_schema(run.folder / f"{GATE_VALUES.name}.parquet")
            kept.append(Kept(run, settings_digest(run.config), run.scenes_digest))
        except (ConfigError, TableError, OSError, ValueError, KeyError) as error:
            left_out.append(LeftOut(folder.name, " ".join(str(error).replace(f"{folder}/", "").split())))
    return sorted(kept, key=lambda k: k.run.run_id), left_out


def _candidates(outputs: Path) -> Iterator[Path]:
    """Folders that are a run or look like one: `*/run.json`, `*/gate_values.parquet`; hidden ones are under way."""
    if not outputs.is_dir():
        return
    for folder in sorted(outputs.iterdir()):
        is_own = folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(".")
        if is_own and any((folder / name).is_file() for name in ("run.json", f"{GATE_VALUES.name}.parquet")):
            yield folder


def _check_schema(path: Path) -> None:
    """Raises TableError where the file is not there or is of another version, ValueError or OSError where broken."""
    if not path.is_file():
        raise TableError(f"{path} is not there: made by an earlier version, or without ground truth")
    meta = {k.decode(): v.decode() for k, v in (pq.read_schema(path).metadata or {}).items()}
    found = (meta.get("table"), meta.get("schema_version"))
    if found != (GATE_VALUES.name, str(GATE_VALUES.version)):
        raise TableError(
            f"{path} has schema {found[0]} v{found[1]}, expected {GATE_VALUES.name} v{GATE_VALUES.version}"
        )


def _has(run: KeptRun, model: str | None) -> bool:
    return model is None or model in run.models


def _why_other(kept: Kept, newest: Kept, model: str | None) -> str:
    """Why a readable run is not comparable."""
    if kept.run.config.experiment != newest.run.config.experiment:
        return f"not comparable: experiment {kept.run.config.experiment}"
    if not _has(kept.run, model):
        return f"without {model}"
    if kept.settings != newest.settings:
        return f"not comparable: other settings ({kept.settings}, here {newest.settings})"
    return f"not comparable: other scenes ({kept.scenes}, here {newest.scenes})"


def _values(kept: Sequence[Kept], model: str | None) -> tuple[pd.DataFrame, list[LeftOut]]:
    """HISTORY of these runs, and those whose file turns out to be broken beyond its head."""
    import duckdb

    facts = pd.DataFrame([f for k in kept for f in _facts(k, model)], columns=list(_FACTS))
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False}) as connection:
        unreadable = []
        try:
            found = _asked(connection, facts)
        except duckdb.Error:
            unreadable = [LeftOut(k.run.run_id, why) for k in kept if (why := _broken(connection, k.file))]
            names = {u.folder for u in unreadable}
            if not names:
                raise
            facts = facts[~facts["run_id"].isin(names)]
            found = _asked(connection, facts)
    return _named(found)[list(HISTORY.columns)], unreadable


def _named(values: pd.DataFrame) -> pd.DataFrame:
    """With `name`: the checkpoint's file without folder and ending, and its first digits where others are called so."""
    of = values.drop_duplicates(["model", "position"]).copy()
    stem = of["checkpoint"].str.removeprefix(PACKAGED).map(lambda c: Path(c).stem if Path(c).suffix in SUFFIXES else c)
    stem = stem.map(lambda s: s if len(s) <= _LONGEST else f"...{s[3 - _LONGEST :]}")
    is_shared = of.assign(stem=stem).duplicated(["model", "stem"], keep=False)
    of["name"] = stem.where(~is_shared, stem + " " + of["sha256"].str[:8]).str.strip()
    return values.drop(columns="name").merge(of[["model", "position", "name"]], on=["model", "position"], how="left")


def _facts(kept: Kept, model: str | None) -> Iterator[dict[str, Any]]:
    """What run.json says of each model of a run."""
    for name, entry in kept.run.models.items():
        if model in (None, name):
            yield {
                "file": str(kept.file),
                "run_id": kept.run.run_id,
                "created": str(kept.run.record.get("created", "")),
                "model": name,
                "checkpoint": str(entry.get("checkpoint") or ""),
                "sha256": str(entry.get("sha256") or kept.run.run_id),
            }


def _asked(connection: Any, facts: pd.DataFrame) -> pd.DataFrame:
    if not len(facts):
        return HISTORY.empty()
    connection.register("facts", facts)
    found: pd.DataFrame = connection.execute(_QUERY, {"files": sorted(set(facts["file"]))}).df()
    return found


def _broken(connection: Any, file: Path) -> str:
    """Why a file cannot be read whole, or ''."""
    import duckdb

    try:
        connection.execute("select sum(mean), max(metric) from read_parquet($files)", {"files": [str(file)]}).fetchall()
    except duckdb.Error as error:
        return f"{file.name} cannot be read: {str(error).splitlines()[0]}"
    return ""


def _nothing(
    outputs: Path, config: AuditConfig, model: str | None, kept: Sequence[Kept], left_out: Sequence[LeftOut]
) -> str:
    """Why there is no history, and what would give one."""
    of = f" of {model}" if model else ""
    wanted = f"{outputs}: no finished run of experiment={config.experiment}{of} with these settings"
    there = sorted({k.run.config.experiment for k in kept})
    if there:
        return f"{wanted}; there are runs of experiment={', experiment='.join(there)}"
    if left_out:
        return f"{wanted}; {left_out[0].folder}: {left_out[0].reason}"
    return f"{wanted}; regress checkpoint=FILE makes one, paths.outputs=DIR looks elsewhere"

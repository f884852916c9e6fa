"""What `baseline=` and `candidate=` may be: a run, the name of an accepted baseline, or a checkpoint to be audited."""

from __future__ import annotations

from pathlib import Path

from audit.config import AuditConfig
from audit.models.checkpoint import PACKAGED, SUFFIXES
from audit.regression.auditing import Auditor, only_model, placed, with_checkpoint
from audit.regression.baselines import Baseline, read_baseline, run_of
from audit.regression.kept_run import KeptRun, open_run
from audit.schema import ConfigError


def is_checkpoint(name: str) -> bool:
    return name.startswith(PACKAGED) or Path(name).suffix in SUFFIXES


def find_folder(name: str, outputs: Path) -> Path | None:
    """The run directory that a name means: a path, or the name of a folder in outputs ('latest' too)."""
    for folder in (Path(name).expanduser(), outputs / name):
        if folder.is_dir():
            return folder
    return None


def sides(
    baseline: str, candidate: str, config: AuditConfig, model: str | None, auditor: Auditor
) -> tuple[KeptRun, KeptRun]:
    """Both sides as finished runs. An accepted baseline is found again, on the scenes of the other side where that is a
    run. A checkpoint beside a run is audited with that run's settings, so on its scenes; of two checkpoints both are
    audited as `config` says. Raises ConfigError for a name that is none of these."""
    outputs = Path(config.paths.outputs)
    runs: dict[str, KeptRun] = {}
    accepted: dict[str, Baseline] = {}
    for side, name in (("baseline", baseline), ("candidate", candidate)):
        folder, known = find_folder(name, outputs), read_baseline(Path(config.paths.baselines), name)
        if folder is not None and (known is None or (folder / "run.json").is_file()):
            runs[side] = open_run(folder)
        elif known is not None:
            accepted[side] = known
        elif not is_checkpoint(name):
            raise ConfigError(
                f"{side}={name}: neither a run directory, nor the name of one in {outputs}, nor an accepted baseline in"
                f" {config.paths.baselines}, nor a checkpoint ({', '.join(SUFFIXES)})"
            )
    for side, known in accepted.items():
        other = next(iter(runs.values()), None)
        runs[side] = run_of(known, config.paths, auditor, like=None if other is None else other.config)
    for side, name in (("baseline", baseline), ("candidate", candidate)):
        if side in runs:
            continue
        other = next(iter(runs.values()), None)
        settings = placed(other.config, config.paths) if other is not None else config
        own = with_checkpoint(settings, only_model(settings, model), name)
        runs[side] = auditor.audited(own)
    return runs["baseline"], runs["candidate"]

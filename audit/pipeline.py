"""The audit: design -> render -> predict -> attribute -> measure -> analyse, into one run directory."""

from __future__ import annotations

import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from audit import parts
from audit.composition import dump
from audit.config import PICTURES, AuditConfig
from audit.loading import Loaded, load_models
from audit.models.adapter import Adapter
from audit.run_directory import RUN_SCHEMA, run_directory, write_json
from audit.stages import (
    analysing,
    attending,
    cropping,
    gating,
    picturing,
    predicting,
    randomising,
    refeeding,
    rendering,
    sensing,
)
from audit.tables import FAILURES, PREPROCESSING
from scenes.renderer import RenderOutcome

_PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scipy", "statsmodels", "hydra-core", "bpy")

Finish = Callable[[Path], None]


@dataclass(frozen=True)
class RunOutcome:
    exit_code: int
    run_dir: Path
    summary_lines: list[str]


@dataclass
class Stopwatch:
    """Seconds per stage, in order; they stand in run.json alone."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def run(config: AuditConfig, command: str, finish: Finish | None = None) -> RunOutcome:
    """One audit. `finish` is called on the complete folder before it is published; the report is written there.

    Raises ConfigError, DesignError, ModelError before anything is rendered; RenderError when rendering cannot go on.
    """
    watch = Stopwatch()
    with watch.stage("load"):
        loaded = load_models(config)
    body = _pictures if PICTURES in config.designs else _scenes
    with run_directory(Path(config.paths.outputs), config.experiment) as (folder, final):
        (folder / "config.yaml").write_text(dump(config))
        outcome, verdict = body(config, loaded, folder, command, watch)
        record = _record(config, loaded, command, watch, outcome, final.name)
        write_json(folder / "run.json", record)
        summary = _summary(folder, final, verdict, outcome, loaded)
        if finish is not None:
            with watch.stage("report"):
                finish(folder)
            write_json(folder / "run.json", {**record, "stages": watch.seconds, "peak_memory_mb": _peak_memory()})
    return RunOutcome(int(verdict.get("exit_code", 0)), final, summary)


def render(config: AuditConfig) -> int:
    """Render only. Returns 0, or 5 when coverage is below the floor."""
    planned = parts.plan(config, load_models(config).scene_sets)
    outcome = rendering.render_scenes(config, planned)
    total = len({p.scene_id for p in planned})
    print(
        f"rendered {outcome.rendered}, in the store before {outcome.cached}, by another run meanwhile {outcome.waited},"
        f" failed {len(outcome.failed)} of {total}"
    )
    return 5 if len(outcome.failed) > (1 - config.criterion.min_coverage) * total else 0


def _scenes(
    config: AuditConfig, loaded: Loaded, folder: Path, command: str, watch: Stopwatch
) -> tuple[RenderOutcome, dict[str, Any]]:
    adapters = loaded.adapters
    with watch.stage("plan"):
        planned = parts.plan(config, loaded.scene_sets)
    with watch.stage("render"):
        outcome = rendering.render_scenes(config, planned)
    with watch.stage("check"):
        rendering.write_scenes(config, planned, outcome, loaded.tasks, folder)
    with watch.stage("predict"):
        predicting.predict(config, planned, adapters, folder)
    with watch.stage("preprocessing"):
        refeeding.refeed(config, adapters, folder)
    with watch.stage("attribute"):
        attending.attend(config, loaded, folder)
    with watch.stage("sensors"):
        sensing.sense(config, adapters, folder)
    with watch.stage("crops"):
        cropping.crop_scenes(config, adapters, folder)
    with watch.stage("sanity"):
        randomising.check_sanity(config, loaded, folder)
    with watch.stage("analyse"):
        verdict = analysing.conclude(config, adapters, folder, command)
        gating.write_gate_values(config, adapters, folder)
    return outcome, verdict


def _pictures(
    config: AuditConfig, loaded: Loaded, folder: Path, command: str, watch: Stopwatch
) -> tuple[RenderOutcome, dict[str, Any]]:
    with watch.stage("predict"):
        picturing.audit_pictures(config, picturing.find_pictures(config), loaded, folder)
    with watch.stage("crops"):
        cropping.crop_pictures(config, loaded.adapters, folder)
    verdict = {"schema_version": 1, "verdict": "no ground truth", "models": {}, "coverage": {}, "exit_code": 0}
    write_json(folder / "verdict.json", verdict)
    return RenderOutcome(), verdict


def _record(
    config: AuditConfig,
    loaded: Loaded,
    command: str,
    watch: Stopwatch,
    outcome: RenderOutcome,
    run_id: str,
) -> dict[str, Any]:
    adapters = loaded.adapters
    return {
        "schema_version": RUN_SCHEMA,
        "run_id": run_id,
        "experiment": config.experiment,
        "created": run_id[:16],
        "git": _git(),
        "versions": {"python": platform.python_version(), **{p: v for p in _PACKAGES if (v := _version(p))}},
        "device": next((a.device for a in adapters.values()), "cpu"),
        "seed": config.seed,
        "command": command,
        "models": {
            name: _model_record(a) | {"left_out": loaded.left_out.get(name, {})} for name, a in adapters.items()
        },
        "skipped_models": [asdict(s) for s in loaded.skipped],
        "stages": watch.seconds,
        "renders": {
            "rendered": outcome.rendered,
            "cached": outcome.cached,
            "waited": outcome.waited,
            "failed": len(outcome.failed),
            "worker_restarts": outcome.restarts,
            "worker_seconds": round(outcome.seconds, 1),
        },
        "peak_memory_mb": _peak_memory(),
    }


def _model_record(adapter: Adapter) -> dict[str, Any]:
    return {
        "task": adapter.task.name,
        "scene_set": adapter.task.scene_set,
        "architecture": adapter.architecture,
        "checkpoint": adapter.checkpoint.file,
        "sha256": adapter.checkpoint.sha256,
        "preprocessing": asdict(adapter.preprocessing),
        "target_layer": adapter.target_layer,
        "layer_is_guess": adapter.layer_is_guess,
        "threshold": adapter.threshold,
        "recipe": adapter.recipe,
        "card": dict(adapter.checkpoint.card),
    }


def _summary(
    folder: Path, final: Path, verdict: Mapping[str, Any], outcome: RenderOutcome, loaded: Loaded
) -> list[str]:
    """The last screen: verdict, worst findings, coverage, and the command that shows the worst again."""
    coverage = verdict.get("coverage", {})
    lines = [f"verdict   {verdict['verdict']}"]
    if coverage:
        lines.append(
            f"coverage  {coverage['usable']} of {coverage['planned']} cells"
            f" ({outcome.rendered} scenes rendered, {outcome.cached + outcome.waited} from the store,"
            f" {len(outcome.failed)} failed)"
        )
    for name, model in verdict.get("models", {}).items():
        gate = ", ".join(f"{g['metric']} {_number(g['value'])} (floor {g['floor']:g})" for g in model["control"])
        count = f"{model['failures']} failure condition{'' if model['failures'] == 1 else 's'}"
        lines.append(f"{name}: {count}; at control {gate}")
        lines += [f"  not tested: {m} ({reason})" for m, reason in model.get("untested", {}).items()]
    lines += [f"skipped   {s.name}: {s.reason}" for s in loaded.skipped]
    if coverage:
        lines += refeeding.better(PREPROCESSING.read(folder))
        worst = FAILURES.read(folder).sort_values("rank").head(3)
        lines += [f"  {row.finding_id}  {row.sentence}" for row in worst.itertuples()]
        lines += [f"again     {row.reproduce}" for row in worst.head(1).itertuples()]
    return [*lines, f"run       {final}"]


def _number(value: float | None) -> str:
    return "undefined" if value is None or value != value else f"{value:.2f}"


def _peak_memory() -> float:
    """Largest resident size in MB of this process or any child that ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(k).ru_maxrss for k in kinds) / 1024, 1)


def _git() -> dict[str, Any] | None:
    here = Path(__file__).parent

    def ask(*words: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except OSError:
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    sha = ask("rev-parse", "HEAD")
    return None if sha is None else {"sha": sha, "dirty": bool(ask("status", "--porcelain", "-uno"))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""The verbs about one run: its scenes, its models, its page."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from audit import help_text
from audit.benches import BENCHES
from audit.cli.request import DIFFERS, OK, USAGE, Request, Verb, check_writable
from audit.cli.run_page import run_page
from audit.composition import ConfigError, compose, store_of
from scenes.design import nearest
from scenes.store import Store

PAGE = Path("report", "index.html")  # in a run directory


def _run(request: Request) -> int:
    config = request.config()
    check_writable(config, "paths.outputs", "paths.store")
    from audit import pipeline

    outcome = pipeline.run(config, request.command, finish=run_page(config.paths))
    for line in outcome.summary_lines:
        print(line)
    print(f"report    {outcome.run_dir / PAGE}")
    return outcome.exit_code


def _plan(request: Request) -> int:
    from audit.estimate import plan

    for line in plan(request.config()):
        print(line)
    return OK


def _render(request: Request) -> int:
    config = request.config()
    check_writable(config, "paths.store")
    from audit import pipeline

    return pipeline.render(config)


def _show(request: Request) -> int:
    """Write a scene of the store out to be looked at: `show SCENE_ID [paths.store=DIR]`."""
    named = [a for a in request.arguments if "=" not in a]
    if len(named) != 1:
        raise ConfigError(
            "show takes the id of one scene, or its beginning: show SCENE_ID; scenes.csv of a run has them"
        )
    config = compose([a for a in request.arguments if "=" in a], request.config_dir)
    check_writable(config, "paths.outputs")
    from reports import write_scene

    store = Store(Path(config.paths.store))
    scene_id = store.find(named[0])
    for line in write_scene(store, scene_id, Path(config.paths.outputs) / "scenes" / scene_id):
        print(line)
    return OK


def _verify(request: Request) -> int:
    """Render a sample of the designs' scenes again and compare it with the store, byte by byte."""
    from audit.verification import verification_table

    table = verification_table(request.config())
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    same = int((table["result"] == "same").sum())
    print(f"{same} of {len(table)} scenes are byte by byte what this machine renders now")
    return OK if same == len(table) else DIFFERS


def _preprocessing(request: Request) -> int:
    """Feed some scenes otherwise, and say of each model whether it is fed best as configured."""
    config = request.config()
    check_writable(config, "paths.store")
    from audit.loading import load_models
    from audit.stages import refeeding

    table = refeeding.render_and_refeed(config, load_models(config))
    print(refeeding.printed(table))
    for line in refeeding.conclusions(table):
        print(line)
    return OK


def _train(request: Request) -> int:
    config = request.config()
    check_writable(config, "training.checkpoint", "paths.store")
    from audit import training

    return training.train(config)


def _sanity(request: Request) -> int:
    """Randomise each model's layers step by step and say which methods' maps stay as they were."""
    config = request.config()
    check_writable(config, "paths.store")
    from audit.stages.randomising import sanity_lines

    for line in sanity_lines(config):
        print(line)
    return OK


def _report(request: Request) -> int:
    """Write a run's page again: `report [RUN_DIRECTORY] [paths.store=DIR]`."""
    folders = [a for a in request.arguments if "=" not in a]
    if len(folders) > 1:
        raise ConfigError(f"report takes one run directory, not {len(folders)}: {' '.join(folders)}")
    typed = [a for a in request.arguments if "=" in a]
    if others := [a for a in typed if not a.startswith("paths.")]:
        raise ConfigError(f"report takes a run directory and paths alone, not {others[0]}")
    paths = compose(typed, request.config_dir).paths
    folder = Path(folders[0]).expanduser() if folders else Path(paths.outputs) / "latest"
    if not (folder / "run.json").is_file():
        raise ConfigError(f"{folder} is no finished run: it has no run.json; `run` makes one")
    is_typed = any(a.startswith("paths.store=") for a in typed)
    from reports import write_report

    print(f"report    {write_report(folder, Path(paths.store if is_typed else store_of(folder)))}")
    return OK


def _doctor(request: Request) -> int:
    from audit import doctor

    findings = doctor.examine(request.config())
    for finding in findings:
        print(finding.line())
    return OK if all(f.ok for f in findings) else USAGE


def _version(request: Request) -> int:
    try:
        print(version("scene-audit"))
    except PackageNotFoundError:
        print("not installed: used from its folder")
    return OK


def _help(request: Request) -> int:
    for line in help_text.lines(request.program, request.config_dir):
        print(line)
    return OK


def _bench(request: Request) -> int:
    """Measure: `bench noise|assets|render [key=value ...]`."""
    subjects = [a for a in request.arguments if "=" not in a]
    if len(subjects) != 1 or subjects[0] not in BENCHES:
        typed = " ".join(["bench", *subjects])
        hint = nearest(subjects[0], BENCHES) if len(subjects) == 1 else f"valid: {', '.join(BENCHES)}"
        raise ConfigError(f"{typed}: what is to be measured? {hint}")
    config = compose([a for a in request.arguments if "=" in a], request.config_dir)
    check_writable(config, "paths.store")
    for line in BENCHES[subjects[0]](config):
        print(line, flush=True)
    return OK


VERBS: Mapping[str, Verb] = {
    "run": _run,
    "plan": _plan,
    "render": _render,
    "show": _show,
    "verify": _verify,
    "preprocessing": _preprocessing,
    "train": _train,
    "bench": _bench,
    "sanity": _sanity,
    "report": _report,
    "doctor": _doctor,
    "version": _version,
    "help": _help,
}

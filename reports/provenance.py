"""Where the numbers come from: checkpoint cards, preprocessing, versions, times, and the files beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports import figures, words
from reports.run_record import RunRecord, without_home

_TWINS = (  # file stem, what stands in it
    ("failures", "failure conditions"),
    ("effects", "all contrasts"),
    ("conditions", "all conditions"),
    ("interventions", "arms and their effects"),
    ("earned", "methods against interventions"),
    ("auc", "AUC by distance and sensor"),
    ("condition_auc", "AUC of every condition"),
    ("gate_values", "what a comparison with another checkpoint is about"),
    ("history", "the same over the checkpoints before this one"),
    ("steps", "where a gate's level changed for good"),
    ("pictures", "outputs on pictures"),
    ("scenes", "cells of the design"),
    ("labels", "truth"),
    ("responses", "outputs"),
    ("answers", "the five likeliest classes per scene"),
    ("taken_for", "what objects were taken for, per condition"),
    ("predictions", "task metrics per cell"),
    ("attention", "attention overlap per scene"),
    ("sensor_attention", "maps of single sensors in their own cones"),
    ("crops", "what the maps select, as boxes"),
    ("sanity", "maps while weights are randomised, step by step"),
    ("sanity_verdict", "which methods that makes doubtful"),
    ("preprocessing", "the same scenes, fed otherwise"),
    ("verdict", "verdict"),
    ("run", "provenance"),
    ("config", "configuration"),
)
_SUFFIXES = (".csv", ".parquet", ".json", ".yaml")
_SHORT = 160  # characters of a card's entry beyond which it is left to run.json


@dataclass(frozen=True)
class ModelCard:
    """What is known of one checkpoint. The lists are (name, value) pairs."""

    name: str
    facts: tuple[tuple[str, str], ...]
    preprocessing: tuple[tuple[str, str], ...]
    recipe: tuple[tuple[str, str], ...]
    card: tuple[tuple[str, str], ...]
    loss: Markup | None


def model_card(record: RunRecord, name: str) -> ModelCard:
    """The checkpoint of one model as run.json and its card describe it."""
    entry, card = record.model(name), record.card(name)
    asked = {words.CLASSIFICATION: "which of ImageNet's classes is in the picture"}
    shown = () if record.task_of(name) in asked else (("threshold", "operating threshold"),)
    facts = [
        (label, entry.get(key))
        for key, label in (
            ("architecture", "architecture"),
            ("checkpoint", "checkpoint file"),
            ("sha256", "sha256"),
            ("target_layer", "target layer of CAM methods"),
            *shown,
        )
    ]
    if entry.get("layer_is_guess"):
        facts.append(("target layer declared", f"no, guessed; another by models.{name}.target_layer=..."))
    left_out = entry.get("left_out")
    facts += [(f"no maps by {method}", why) for method, why in (left_out.items() if isinstance(left_out, dict) else ())]
    facts.insert(0, ("asked", asked.get(record.task_of(name), "what the robot's proximity sensors will see")))
    recipe = entry.get("recipe") or {}
    loss = _series(card)
    return ModelCard(
        name=name,
        facts=tuple((label, _short(value)) for label, value in facts if value not in (None, "")),
        preprocessing=tuple((k, _short(v)) for k, v in (entry.get("preprocessing") or {}).items()),
        recipe=tuple((k, ", ".join(map(str, v))) for k, v in recipe.items()) if isinstance(recipe, Mapping) else (),
        card=tuple((k.replace("_", " "), _short(v)) for k, v in _flat(card) if len(_short(v)) <= _SHORT),
        loss=figures.curve(loss) if loss else None,
    )


def run_facts(record: RunRecord) -> list[tuple[str, str]]:
    """Versions, device, seed, command and the like, for the provenance table."""
    run = record.run
    git = run.get("git")
    facts = [("run", run.get("run_id")), ("experiment", run.get("experiment")), ("created", run.get("created"))]
    if isinstance(git, Mapping):
        facts.append(("git", f"{git.get('sha')}{' with uncommitted changes' if git.get('dirty') else ''}"))
    else:
        facts.append(("git", "not run from a repository"))
    facts += [("device", run.get("device")), ("seed", run.get("seed"))]
    facts.append(("command", without_home(str(run.get("command") or ""))))
    facts.append(("peak memory of a process", f"{run['peak_memory_mb']} MB" if run.get("peak_memory_mb") else None))
    facts += [(f"version of {k}", v) for k, v in sorted((run.get("versions") or {}).items())]
    return [(k, str(v)) for k, v in facts if v not in (None, "")]


def stages(record: RunRecord) -> list[tuple[str, str]]:
    """(stage, seconds)."""
    return [(str(k), f"{float(v):.1f}") for k, v in (record.run.get("stages") or {}).items()]


def renders(record: RunRecord) -> list[tuple[str, str]]:
    """(what, count) of the renders of this run."""
    return [(str(k), str(v)) for k, v in (record.run.get("renders") or {}).items()]


def twins(record: RunRecord) -> list[tuple[str, str, list[str]]]:
    """(stem, what stands in it, file names) of the files beside the report."""
    out = []
    for stem, what in _TWINS:
        files = [stem + suffix for suffix in _SUFFIXES if (record.folder / (stem + suffix)).is_file()]
        if files:
            out.append((stem, what, files))
    return out


def _flat(card: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for key, value in card.items():
        name = f"{prefix}{key}"
        out += _flat(value, f"{name}: ") if isinstance(value, Mapping) else [(name, value)]
    return out


def _series(card: Mapping[str, Any]) -> list[float]:
    """The loss per epoch, wherever the card keeps a list of numbers under a name with 'loss' in it."""
    for name, value in _flat(card):
        is_series = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 1
        if "loss" in name.lower() and is_series and all(isinstance(v, int | float) for v in value):
            return [float(v) for v in value]
    return []


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_short(v) for v in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {_short(v)}" for k, v in value.items())
    return str(value)

"""A finished run directory, read once: tables, records and the order in which factors and levels are shown."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from audit import tables
from audit.config import PICTURES, SCENE_SETS
from reports import words
from reports.levels import ALL, PRESENCES, counting_order, level_order, ordered, parse_contrast
from reports.run_frames import read_frames, restricted
from scenes.design import OBJECT, PRESENCE
from scenes.factors import REGISTRY
from scenes.manifest import ABSENT
from scenes.sampling import SAMPLED

_HOME = re.compile(r"(/home/[^/\s]+|/Users/[^/\s]+|/root)(?=/|\s|$)")


@dataclass(frozen=True)
class Estimate:
    """A row of the interventions table: mean over blocks, interval, blocks where it is defined."""

    mean: float
    low: float
    high: float
    usable: int


@dataclass(frozen=True)
class Answer:
    """A class that a network named, with its probability, and whether it is right for the object."""

    name: str
    probability: float
    is_right: bool


@dataclass(frozen=True)
class RunRecord:
    """What the run directory `folder` holds. A table whose stage did not run is an empty frame, never an error.

    scene_set: '' for the whole run; else this is the part of it that was shown one scene set (see `part`), with that
    set's models, rows and factors alone.
    """

    folder: Path
    run: Mapping[str, Any]
    verdict: Mapping[str, Any]
    config: Mapping[str, Any]
    config_text: str
    frames: Mapping[str, pd.DataFrame]
    scene_set: str = ""

    def frame(self, name: str) -> pd.DataFrame:
        """The table called `name` (see audit.tables), empty where it was not written."""
        return self.frames[name]

    def part(self, scene_set: str) -> RunRecord:
        """The run restricted to one scene set."""
        frames = restricted(self.frames, scene_set, self._models_of(scene_set))
        return dataclasses.replace(self, scene_set=scene_set, frames=frames)

    @cached_property
    def scene_sets(self) -> tuple[str, ...]:
        """The scene sets that some model was shown, in the order of the configuration."""
        shown = {self.scene_set_of(m) for m in self.models} | set(self.frame("scenes").get("scene_set", ()))
        designed = list(_mapping(self.config.get("designs")))
        return tuple(ordered(shown, designed)) or tuple(designed) or tuple(SCENE_SETS.values())[:1]

    @property
    def task(self) -> str:
        """What the models of this part are asked: proximity, classification."""
        asked = {s: t for t, s in SCENE_SETS.items()}
        return next((self.task_of(m) for m in self.models), asked.get(self.scene_set, next(iter(SCENE_SETS))))

    def task_of(self, name: str) -> str:
        """What one model is asked."""
        return str(self.model(name).get("task") or next(iter(SCENE_SETS)))

    @property
    def is_pictures(self) -> bool:
        """True for a run over pictures without ground truth."""
        return PICTURES in _mapping(self.config.get("designs")) or (
            len(self.frame("pictures")) > 0 and not self.has_scenes
        )

    @property
    def has_scenes(self) -> bool:
        return len(self.frame("scenes")) > 0

    @property
    def design(self) -> Mapping[str, Any]:
        """The design of this part's scene set."""
        return _mapping(_mapping(self.config.get("designs")).get(self.scene_set))

    @property
    def criterion(self) -> Mapping[str, Any]:
        return _mapping(self.config.get("criterion"))

    @property
    def horizon(self) -> int:
        """Centimetres of travel within which sensor events count."""
        return int(_mapping(self.config.get("robot")).get("horizon", 15))

    @property
    def min_blocks(self) -> int:
        """Usable blocks below which a number supports no verdict."""
        return int(self.criterion.get("min_blocks", 8))

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Names of the audited models, in the order of run.json."""
        if self.scene_set:
            return self._models_of(self.scene_set)
        named = list(_mapping(self.run.get("models")))
        seen = [m for t in ("conditions", "predictions", "pictures") for m in self.frame(t).get("model", [])]
        return tuple(dict.fromkeys([*named, *sorted(set(seen))]))

    def scene_set_of(self, name: str) -> str:
        """The scene set that a model is shown: as run.json says, else the first of the configuration."""
        entry = self.model(name)
        found = entry.get("scene_set") or SCENE_SETS.get(str(entry.get("task")))
        designed = list(_mapping(self.config.get("designs"))) or list(SCENE_SETS.values())
        return str(found or designed[0])

    def _models_of(self, scene_set: str) -> tuple[str, ...]:
        named = list(_mapping(self.run.get("models")))
        seen = {m for t in ("conditions", "predictions") for m in self.frame(t).get("model", [])}
        return tuple(m for m in dict.fromkeys([*named, *sorted(seen)]) if self.scene_set_of(m) == scene_set)

    def model(self, name: str) -> Mapping[str, Any]:
        """The entry of run.json on one model; empty where there is none."""
        return _mapping(_mapping(self.run.get("models")).get(name))

    def card(self, name: str) -> Mapping[str, Any]:
        """The checkpoint card of one model; empty where there is none."""
        return _mapping(self.model(name).get("card"))

    def threshold(self, name: str) -> float:
        """The operating point of one model, a probability."""
        value = self.model(name).get("threshold")
        return 0.5 if value is None else float(value)

    def model_verdict(self, name: str) -> Mapping[str, Any]:
        return _mapping(_mapping(self.verdict.get("models")).get(name))

    @property
    def primary_method(self) -> str:
        """The attribution method whose maps are shown: the first configured, else the first that left maps."""
        methods = _mapping(self.config.get("attribution")).get("methods") or []
        if methods:
            return str(methods[0])
        found = sorted(p.stem for p in (self.folder / "attributions").glob("*/*.npz"))
        return found[0] if found else ""

    @cached_property
    def levels(self) -> Mapping[str, tuple[str, ...]]:
        """Factor that varies inside a block (all but presence, object) -> its levels, in the design's order, then as
        found."""
        configured = _mapping(self.design.get("factors"))
        columns = self.frame("scenes").attrs.get("factors") or self.frame("conditions").attrs.get("factors") or []
        out: dict[str, tuple[str, ...]] = {}
        for factor in dict.fromkeys([*configured, *columns]):
            if factor in (PRESENCE, OBJECT):
                continue
            found = self._found_levels(factor)
            kept = [str(v) for v in configured.get(factor, []) if str(v) in found or not found]
            out[factor] = tuple(dict.fromkeys([*kept, *sorted(found - set(kept), key=level_order)]))
        return out

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """The objects of a design where `object` is a factor, in its order; none where the scene seed draws them."""
        scenes = self.frame("scenes")
        found = {str(v) for v in scenes[OBJECT]} if OBJECT in scenes else set()
        return tuple(ordered(found, [str(v) for v in self.design.get("objects") or ()]))

    @cached_property
    def control(self) -> Mapping[str, str]:
        """Factor -> control level: as configured, else the factor's own, else as the effects table says, else the
        first level."""
        out = {f: levels[0] for f, levels in self.levels.items() if levels}
        out[PRESENCE] = "object"
        for text in self.frame("effects").get("control", pd.Series(dtype=str)).unique():
            out.update({f: v for f, v in parse_contrast(text).items() if v in self.levels.get(f, ())})
        known = REGISTRY.get(self.scene_set, {})
        out.update({f: known[f].CONTROL for f in out if f in known and known[f].CONTROL in self.levels.get(f, ())})
        out.update({str(f): str(v) for f, v in _mapping(self.design.get("control")).items()})
        return out

    @cached_property
    def partners(self) -> Mapping[tuple[str, str], str]:
        """(factor, level) -> the level it is compared with, where the effects table says it is not the control."""
        frame = self.frame("effects")
        out = {}
        for contrast, control in zip(frame["contrast"], frame["control"], strict=True):
            held = parse_contrast(control)
            for factor, level in parse_contrast(contrast).items():
                if factor in self.levels and held.get(factor, self.control[factor]) != self.control[factor]:
                    out[factor, level] = held[factor]
        return out

    @property
    def is_one_at_a_time(self) -> bool:
        """Whether the design sets one factor at a time."""
        return self.design.get("crossing") == "one_at_a_time"

    @property
    def is_sampled(self) -> bool:
        """Whether the design sets all factors at once, at sampled points."""
        return self.design.get("crossing") in SAMPLED

    @property
    def is_crossed(self) -> bool:
        """Whether the design crosses its factors, so that a level stands beside all levels of the others."""
        return not (self.is_one_at_a_time or self.is_sampled)

    def told_apart(self, levels: Mapping[str, str]) -> str:
        """A condition in words: its levels; where one factor is set at a time, only those away from control."""
        away = {f: v for f, v in levels.items() if v != self.control.get(f, ALL)}
        return words.condition(away if self.is_one_at_a_time else levels) or "control"

    @cached_property
    def presences(self) -> tuple[str, ...]:
        """The arms that were rendered."""
        scenes = self.frame("scenes")
        found = set(scenes[PRESENCE]) if PRESENCE in scenes else {"object"}
        return tuple(p for p in PRESENCES if p in found)

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """Block ids in counting order."""
        return self.blocks_of(None)

    def blocks_of(self, stratum: str | None) -> tuple[str, ...]:
        """Block ids of one stratum (near, far, empty; an object; None for all), in counting order."""
        scenes = self.frame("scenes")
        kept = scenes if stratum is None else scenes[scenes["stratum"] == stratum]
        return tuple(sorted({str(b) for b in kept["block_id"]}, key=counting_order))

    @cached_property
    def cells(self) -> Mapping[tuple[str, ...], pd.Series]:
        """(levels of `factors`, presence, block) -> row of the scenes table."""
        scenes = self.frame("scenes")
        columns = [*self.levels, *([PRESENCE] if PRESENCE in scenes else []), "block_id"]
        keys = scenes[columns].astype(str).itertuples(index=False, name=None) if len(scenes) else iter(())
        pad = () if PRESENCE in scenes else ("object",)
        rows = (row for _, row in scenes.iterrows())
        return {(*k[:-1], *pad, k[-1]): row for k, row in zip(keys, rows, strict=True)}

    def cell(self, condition: Mapping[str, str], block: str) -> pd.Series | None:
        """The row of the scenes table for one condition (missing factors at control) and block; None if not there."""
        full = {**self.control, **condition}
        return self.cells.get((*(full[f] for f in self.levels), full.get(PRESENCE, "object"), block))

    @cached_property
    def _predicted(self) -> Mapping[tuple[str, str, str], tuple[float, str]]:
        frame = self.frame("predictions")
        keys = zip(frame["model"], frame["cell_id"], frame["metric"], strict=True)
        return dict(zip(keys, zip(frame["value"], frame["undefined_reason"], strict=True), strict=True))

    def prediction(self, model: str, cell_id: str, metric: str) -> tuple[float, str]:
        """(value, reason it is undefined) of a task metric in one cell; NaN where it was not measured."""
        return self._predicted.get((model, cell_id, metric), (float("nan"), "not measured"))

    @cached_property
    def _attended(self) -> Mapping[tuple[str, str, str, str, str], float]:
        frame = self.frame("attention")
        frame = frame[(frame["source"] == "model") & (frame["method"] == self.primary_method)]
        columns = (frame[c] for c in ("model", "scene_id", "method", "metric", "region"))
        return dict(zip(zip(*columns, strict=True), frame["value"], strict=True))

    def value(self, model: str, metric: str, method: str, region: str, cell: pd.Series) -> float:
        """A metric in one cell: a task metric (method '-'), or overlap of the primary method's map with a region."""
        if method == "-":
            return self.prediction(model, str(cell["cell_id"]), metric)[0]
        return self._attended.get((model, str(cell["scene_id"]), method, metric, region), float("nan"))

    @cached_property
    def _interventions(self) -> Mapping[tuple[str, ...], Estimate]:
        frame = self.frame("interventions")
        keys = zip(*(frame[c] for c in tables.INTERVENTIONS.key), strict=True)
        numbers = zip(*(frame[c] for c in ("mean", "ci_low", "ci_high", "usable_n")), strict=True)
        return {key: Estimate(m, low, high, int(n)) for key, (m, low, high, n) in zip(keys, numbers, strict=True)}

    def intervention(self, model: str, response: str, effect: str, levels: Mapping[str, str]) -> Estimate | None:
        """One effect or arm at levels of relation, light, cast_shadow and object (`all`: their mean); None if not
        analysed. A factor that is not named, or that the design lacks, does not count.

        The light's own effect is of the empty floor, and stands at `all` relations and shadows.
        """
        of_light = {f: ALL for f in ("relation", "cast_shadow") if f in self.levels}
        at = {**levels, **of_light} if effect == "light" else levels
        known = {f: v for f, v in at.items() if f in self.levels or f == OBJECT}
        asked = {"model": model, "response": response, "effect": effect, **known}
        return self._interventions.get(tuple(asked.get(c, ABSENT) for c in tables.INTERVENTIONS.key))

    @cached_property
    def _labels(self) -> Mapping[str, np.ndarray]:
        frame = self.frame("labels")
        return {s: np.asarray(v, dtype=np.int8) for s, v in zip(frame["scene_id"], frame["label"], strict=True)}

    def label(self, scene_id: str) -> np.ndarray | None:
        """(K,) int8 truth of a scene per output of the task; 1, 0, -1 = unknown. None where there is none."""
        return self._labels.get(scene_id)

    @cached_property
    def _responses(self) -> Mapping[tuple[str, str], np.ndarray]:
        frame = self.frame("responses")
        keys = zip(frame["model"], frame["scene_id"], strict=True)
        values = (np.asarray(v, dtype=np.float32) for v in frame["probability"])
        return dict(zip(keys, values, strict=True))

    def response(self, model: str, scene_id: str) -> np.ndarray | None:
        """(K,) float32 probabilities the model gave for a scene, or None."""
        return self._responses.get((model, scene_id))

    @cached_property
    def _answers(self) -> Mapping[tuple[str, str], tuple[Answer, ...]]:
        frame = self.frame("answers").sort_values(["model", "scene_id", "rank"], kind="stable")
        out: dict[tuple[str, str], tuple[Answer, ...]] = {}
        columns = (frame[c] for c in ("model", "scene_id", "answer", "probability", "is_right"))
        for model, scene_id, name, probability, is_right in zip(*columns, strict=True):
            answer = Answer(str(name), float(probability), bool(is_right))
            out[model, scene_id] = (*out.get((model, scene_id), ()), answer)
        return out

    def answers(self, model: str, scene_id: str) -> tuple[Answer, ...]:
        """What a classifier named in a scene, likeliest first; empty for other tasks."""
        return self._answers.get((model, scene_id), ())

    def _found_levels(self, factor: str) -> set[str]:
        for name in ("scenes", "conditions"):
            frame = self.frame(name)
            if factor in frame and len(frame):
                return {str(v) for v in frame[factor]}
        return set()


def read_run(folder: Path) -> RunRecord:
    """Read the run directory `folder`. Raises scenes.table.TableError on a table of another schema version."""
    config_text = _text(folder / "config.yaml")
    return RunRecord(
        folder=folder,
        run=_mapping(json.loads(_text(folder / "run.json") or "{}")),
        verdict=_mapping(json.loads(_text(folder / "verdict.json") or "{}")),
        config=_mapping(yaml.safe_load(config_text)),
        config_text=without_home(config_text),
        frames=read_frames(folder),
    )


def without_home(text: str) -> str:
    """`text` with people's home folders written as `~`: a report is passed around."""
    return _HOME.sub("~", text)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

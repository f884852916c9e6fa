"""What values a configuration may have beyond their types: ranges, choices, and names that other parts declare."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit import object_constraints, parts
from audit.config import PICTURES, SCENE_SETS, AuditConfig, DesignConfig
from audit.schema import ConfigError, show
from scenes.design import CROSSINGS, OBJECT, PRESENCE, Design, DesignError, nearest
from scenes.factors import REGISTRY, check_levels, controls, known, partners, validate
from scenes.importing import UPWARD
from scenes.studio import STAGES


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `open` excludes both ends."""

    low: float
    high: float = math.inf
    open: bool = False

    def holds(self, value: float) -> bool:
        return self.low < value < self.high if self.open else self.low <= value <= self.high

    def __str__(self) -> str:
        low, high = f"{self.low:.10g}", f"{self.high:.10g}"
        if math.isinf(self.high):
            return f"more than {low}" if self.open else f"{low} or more"
        return f"between {low} and {high}" if self.open else f"{low} to {high}"


POSITIVE = Range(0, open=True)
AT_LEAST_ONE = Range(1)
SHARE = Range(0, 1)

# dotted key, * for every name or element -> what its numbers may be
RANGES: Mapping[str, Range] = {
    "seed": Range(0, 2**31 - 1),
    "designs.*.seeds": Range(1, 100_000),
    "designs.*.points": Range(2, 100_000),
    "designs.*.bins": Range(2, 100),
    "designs.*.max_scenes": AT_LEAST_ONE,
    "designs.*.assets.*.elevation": Range(-30, 85),
    "designs.*.assets.*.fill": Range(0.1, 0.9),
    "designs.*.assets.*.yaw": Range(-360, 360),
    "designs.*.samples": Range(1, 65_536),
    "studio.size": Range(32, 4096),
    "studio.field_of_view": Range(5, 120),
    "studio.yaw_range": Range(0, 180),
    "studio.elevation_range": Range(0, 30),
    "studio.fill_range": Range(0, 0.2),
    "camera.width": Range(8, 4096),
    "camera.height": Range(8, 4096),
    "camera.field_of_view": Range(1, 170),
    "camera.tilt": Range(0, 90),
    "camera.tilt_range": Range(0, 45),
    "robot.height": POSITIVE,
    "robot.cone": Range(0, 3.14, open=True),
    "robot.rays": Range(9, 10_000),
    "robot.range": POSITIVE,
    "robot.body_width": POSITIVE,
    "robot.distances": Range(1, 1000),
    "robot.scored": AT_LEAST_ONE,
    "robot.horizon": Range(0),
    "renderer.workers": Range(1, 1024),
    "renderer.verify": AT_LEAST_ONE,
    "renderer.timeout": POSITIVE,
    "renderer.memory_limit": POSITIVE,
    "renderer.retries": Range(0, 100),
    "models.*.threshold": Range(0, 1, open=True),
    "models.*.preprocessing.height": Range(1, 8192),
    "models.*.preprocessing.width": Range(1, 8192),
    "models.*.preprocessing.std.*": POSITIVE,
    "models.*.preprocessing.epsilon": Range(0),
    "attribution.batch": AT_LEAST_ONE,
    "attribution.settings.path_steps": Range(2, 10_000),
    "attribution.settings.noise_copies": Range(1, 10_000),
    "attribution.settings.noise_spread": POSITIVE,
    "attribution.settings.patch": Range(0.01, 1),
    "attribution.settings.patch_step": Range(0.05, 1),
    "attribution.settings.masks": Range(2, 1_000_000),
    "attribution.settings.mask_cells": Range(2, 100),
    "attribution.settings.mask_share": Range(0, 1, open=True),
    "attribution.settings.channels": Range(0),
    "attribution.sanity.scenes": Range(0),
    "attribution.sanity.stages": Range(1, 1000),
    "attribution.sanity.limit": Range(0, 1, open=True),
    "attribution.faithfulness.scenes": Range(0),
    "attribution.faithfulness.steps": Range(2, 10_000),
    "attribution.crops.threshold": Range(0, 1, open=True),
    "attribution.crops.scenes": Range(0),
    "preprocessing_audit.scenes": Range(0),
    "criterion.margins.*": Range(0),
    "criterion.q": Range(0, 1, open=True),
    "criterion.min_blocks": Range(2),
    "criterion.min_coverage": SHARE,
    "comparison.margins.*": POSITIVE,
    "comparison.local_margins.*": POSITIVE,
    "comparison.alpha": Range(0, 0.5, open=True),
    "comparison.power": Range(0, 1, open=True),
    "comparison.min_blocks": Range(2),
    "comparison.confirm_seeds": AT_LEAST_ONE,
    "training.scenes": AT_LEAST_ONE,
    "training.held_out": AT_LEAST_ONE,
    "training.epochs": AT_LEAST_ONE,
    "training.batch": AT_LEAST_ONE,
    "training.learning_rate": POSITIVE,
    "training.samples": Range(1, 65_536),
}

# dotted key -> the words it may be
CHOICES: Mapping[str, tuple[str, ...]] = {
    "designs.*.crossing": CROSSINGS,
    "designs.*.assets.*.up": UPWARD,
    "designs.*.assets.*.stage": tuple(STAGES),
    "attribution.gradient_at": ("input", "picture"),
    "comparison.inconclusive": ("warn", "fail"),
    "models.*.task": tuple(SCENE_SETS),
    "models.*.outputs": ("logits", "probabilities"),
    "models.*.preprocessing.resize": ("bilinear", "linear", "area", "bicubic"),
    "models.*.preprocessing.channels": ("rgb", "bgr"),
    "models.*.preprocessing.normalisation": ("per_image", "fixed"),
}

# dotted key -> how many elements the list has
LENGTHS: Mapping[str, int] = {
    "camera.position": 3,
    "robot.sensors.*": 3,
    "models.*.preprocessing.mean": 3,
    "models.*.preprocessing.std": 3,
}


def check(config: AuditConfig) -> None:
    """Raise ConfigError for the first value out of its range or naming something that does not exist."""
    _check_numbers_and_words(config)
    _check_device(config.device)
    _check_relations(config)
    _check_designs(config)
    _check_models(config)
    _check_names(config)


def _check_numbers_and_words(config: AuditConfig) -> None:
    for pattern, allowed in RANGES.items():
        for key, value in _values(config, pattern):
            if value is not None and not allowed.holds(value):
                raise ConfigError(f"{key}={show(value)}: has to be {allowed}")
    for pattern, words in CHOICES.items():
        for key, value in _values(config, pattern):
            if value not in words:
                raise ConfigError(f"{key}={show(value)}: {nearest(value, words)}")
    for pattern, length in LENGTHS.items():
        for key, value in _values(config, pattern):
            if len(value) != length:
                raise ConfigError(f"{key}={show(value)}: expected {length} numbers, got {len(value)}")


def _values(owner: Any, pattern: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything that `pattern` names below `owner`."""
    head, _, rest = pattern.partition(".")
    if head == "*":
        children = list(owner.items()) if isinstance(owner, Mapping) else list(enumerate(owner))
    else:
        children = [(head, getattr(owner, head))]
    for name, value in children:
        key = f"{prefix}{name}"
        if rest:
            yield from _values(value, rest, key + ".")
        else:
            yield key, value


def _check_device(device: str) -> None:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ConfigError(f"device={device}: {nearest(device, ('auto', 'cpu', 'cuda', 'cuda:0'))}")


def _check_relations(config: AuditConfig) -> None:
    """Numbers that limit each other, and what may not be empty."""
    robot = config.robot
    if robot.scored > robot.distances:
        raise ConfigError(f"robot.scored={robot.scored}: has to be at most robot.distances={robot.distances}")
    if robot.horizon >= robot.scored:
        raise ConfigError(f"robot.horizon={robot.horizon}: has to be below robot.scored={robot.scored}")
    paths = {
        "paths.store": config.paths.store,
        "paths.outputs": config.paths.outputs,
        "training.checkpoint": config.training.checkpoint,
    }
    for key, path in paths.items():
        if not path:
            raise ConfigError(f"{key}=: is empty")
    if not robot.sensors:
        raise ConfigError("robot.sensors={}: at least one sensor is needed")


def _check_designs(config: AuditConfig) -> None:
    if not config.designs:
        raise ConfigError("design=[]: at least one design is needed")
    for scene_set in config.designs:
        _check_design(config, scene_set)


def _check_design(config: AuditConfig, scene_set: str) -> None:
    key, design = f"designs.{scene_set}", config.designs[scene_set]
    if scene_set not in REGISTRY:
        raise ConfigError(f"{key}: a design is named by its scene set; {nearest(scene_set, REGISTRY)}")
    if scene_set == PICTURES:
        if design.pictures is None:
            raise ConfigError(f"{key}.pictures has to be given: design.pictures=DIR")
        return
    if design.pictures is not None:
        raise ConfigError(f"{key}.pictures={design.pictures}: this set is rendered; pictures go with design=pictures")
    if not design.factors:
        first = "light=[front,back]" if scene_set == "tabletop" else "light=[key,back]"
        raise ConfigError(f"{key}.factors={{}}: at least one factor is needed, for instance {key}.factors.{first}")
    if OBJECT in design.factors:
        remedy = f"; name them in {key}.objects" if scene_set == "studio" else ""
        raise ConfigError(f"{key}.factors.{OBJECT}: objects are no levels to choose here{remedy}")
    if PRESENCE in design.factors:
        raise ConfigError(f"{key}.factors.{PRESENCE}: ghost and empty are the arms; {key}.arms=false leaves them out")
    _check_factors(key, scene_set, design)
    there = known(scene_set, design.modules)
    for name in design.arms_of:
        if name not in there:
            raise ConfigError(f"{key}.arms_of=[{name}]: there is no such factor; {nearest(name, there)}")
        if design.crossing != "one_at_a_time":
            raise ConfigError(f"{key}.arms_of=[{name}]: crossing={design.crossing} has its arms; leave it empty")
    try:
        whole = parts.whole_design(config, scene_set)
    except DesignError as error:
        raise ConfigError(f"{key}.factors: {error}") from error
    object_constraints.check(scene_set, design)
    _check_keep(key, design, whole)
    size = parts.design(config, scene_set).size
    if size > design.max_scenes:
        raise ConfigError(
            f"{key}.max_scenes={design.max_scenes}: the design has {size} cells; if they are meant,"
            f" {key}.max_scenes={size}"
        )


def _check_factors(key: str, scene_set: str, design: DesignConfig) -> None:
    """Factors, levels and control levels have to be there, and what levels are compared with."""
    try:
        available = known(scene_set, design.modules)
    except DesignError as error:
        raise ConfigError(f"{key}.modules: {error}") from error
    try:
        validate(available, design.factors)
        compared = partners(available, design.factors)
    except DesignError as error:
        raise ConfigError(f"{key}.factors: {error}") from error
    try:
        control = controls(available, design.factors, design.control)
    except DesignError as error:
        raise ConfigError(f"{key}.control: {error}") from error
    for name, level in control.items():
        if partner := compared.get(name, {}).get(level):
            raise ConfigError(f"{key}.control.{name}={level}: is itself compared with {partner!r}; take that one")


def _check_keep(prefix: str, design: DesignConfig, whole: Design) -> None:
    """What is kept has to be in the design, and there has to be something left."""
    within: dict[str, Sequence[str]] = {
        "presence": ["object", "ghost", "empty"] if design.arms else ["object"],
        **({OBJECT: design.objects} if design.objects else {}),
        **whole.levels,
    }
    for name, kept in design.keep.items():
        key = f"{prefix}.keep.{name}"
        if name != "seeds" and name not in within:
            raise ConfigError(f"{key}: the design has no such factor; {nearest(name, [*within, 'seeds'])}")
        if not kept:
            raise ConfigError(f"{key}=[]: nothing would be left")
        if len(kept) != len({str(value) for value in kept}):
            raise ConfigError(f"{key}=[{', '.join(map(show, kept))}]: one is named twice")
        for value in kept:
            if name == "seeds":
                if type(value) is not int or not 0 <= value < design.seeds:
                    raise ConfigError(f"{key}=[{show(value)}]: scene seeds are whole numbers, 0 to {design.seeds - 1}")
            elif not isinstance(value, str):
                raise ConfigError(f"{key}=[{show(value)}]: levels are text; quote it, and write none, never off")
            elif value not in within[name]:
                raise ConfigError(f"{key}=[{value}]: not a level of this design; {nearest(value, within[name])}")


def _check_models(config: AuditConfig) -> None:
    if not config.models:
        raise ConfigError("model=[]: at least one model is needed")
    for name, model in config.models.items():
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ConfigError(f"models.{name}: a model's name is made of letters, digits and _")
        for text in ("architecture", "checkpoint"):
            if getattr(model, text) == "":
                raise ConfigError(f"models.{name}.{text}=: is empty")
        scene_set = SCENE_SETS[model.task]
        if not {scene_set, PICTURES} & set(config.designs):
            others = {SCENE_SETS[m.task] for m in config.models.values()}
            wanted = [*(d.name for s, d in config.designs.items() if s in others), scene_set]
            choice = f"[{','.join(wanted)}]" if len(wanted) > 1 else scene_set
            raise ConfigError(
                f"models.{name}.task={model.task}: no chosen design shows it anything; add one of the set {scene_set},"
                f" for instance design={choice}"
            )
        if model.recipe is not None and PICTURES not in config.designs:
            modules = config.designs[scene_set].modules
            try:
                check_levels(known(scene_set, modules), model.recipe)
            except DesignError as error:
                raise ConfigError(f"models.{name}.recipe: {error}") from error


def _check_names(config: AuditConfig) -> None:
    """Names declared by the measuring parts. Imported here, since attribution imports torch."""
    from audit.attribution import METHODS
    from audit.metrics.effect_specs import EFFECT_SPECS
    from audit.metrics.specs import SPECS

    if not config.attribution.methods:
        raise ConfigError("attribution.methods=[]: at least one method is needed")
    for method in config.attribution.methods:
        if method not in METHODS:
            raise ConfigError(f"attribution.methods=[{method}]: {nearest(method, METHODS)}")
    for group in ("margins", "control_floor"):
        for metric in getattr(config.criterion, group):
            if metric not in SPECS:
                raise ConfigError(f"criterion.{group}.{metric}: there is no such metric; {nearest(metric, SPECS)}")
    gated = [m for m, spec in SPECS.items() if spec.direction != "neither" and set(spec.tasks) & set(SCENE_SETS)]
    gated += EFFECT_SPECS
    for group in ("margins", "local_margins"):
        for metric in getattr(config.comparison, group):
            if metric not in gated:
                raise ConfigError(f"comparison.{group}.{metric}: no such metric is gated; {nearest(metric, gated)}")

"""Loading: every configured model as an adapter, and those whose weights cannot be had as what they are, skipped."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit import parts
from audit.attribution import targets
from audit.attribution.allowed_methods import left_out
from audit.config import PICTURES, SCENE_SETS, AuditConfig
from audit.models import build_adapter
from audit.models.adapter import Adapter
from audit.models.errors import ModelError, WeightsUnavailable
from audit.models.task import Task, task_of
from scenes import factors
from scenes.assets import ASSETS
from scenes.design import DesignError


@dataclass(frozen=True)
class Skipped:
    """A model that is not audited, since its weights cannot be had here."""

    name: str
    reason: str
    url: str
    remedy: str


@dataclass(frozen=True)
class Loaded:
    """adapters: by name, in the order of the configuration. skipped: the models that are not audited.

    left_out: model -> attribution method -> why that model has no map of it, to be read after the method's name.
    """

    adapters: Mapping[str, Adapter]
    skipped: tuple[Skipped, ...]
    scene_sets: tuple[str, ...]  # designs that some adapter is shown, in their order
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def methods_of(self, name: str, config: AuditConfig) -> list[str]:
        """The configured attribution methods that this model allows, in their order."""
        return [method for method in config.attribution.methods if method not in self.left_out.get(name, {})]

    @property
    def tasks(self) -> list[Task]:
        """The task of each scene set."""
        return list({a.task.scene_set: a.task for a in self.adapters.values()}.values())


def load_models(config: AuditConfig) -> Loaded:
    """Build every model. What is skipped, guessed or left out is said on stderr at once.

    Raises ModelError where a model is unfit, where all are skipped, or for an attribution method that does not exist
    or that no model allows, or for a target that a model does not have; DesignError for a recipe of unknown levels.
    """
    robot, adapters, skipped = parts.robot(config), {}, []
    classes = _classes(config)
    for name, model in config.models.items():
        try:
            adapters[name] = build_adapter(model, config.device, task_of(model, robot, classes))
        except WeightsUnavailable as error:
            skipped.append(Skipped(name, error.reason, error.url, error.remedy))
            print(f"skipped   {name}: {error.reason} ({error.url}); {error.remedy}", file=sys.stderr)
            continue
        _check_recipe(config, adapters[name])
        targets.check(config.attribution.target, adapters[name].task.name, adapters[name].task.outputs)
        _say_guess(adapters[name])
    if not adapters:
        reasons = "; ".join(f"{s.name}: {s.reason}; {s.remedy}" for s in skipped)
        raise ModelError(f"no model is left to audit: {reasons}")
    shown = {a.task.scene_set for a in adapters.values()}
    sets = tuple(s for s in config.designs if s in shown or s == PICTURES)
    refused = left_out(config.attribution.methods, adapters)
    for owner, refusals in refused.items():
        for method, why in refusals.items():
            print(f"left out  {method} of {owner}: {why}", file=sys.stderr)
    return Loaded(adapters, tuple(skipped), sets, refused)


def _say_guess(adapter: Adapter) -> None:
    """A target layer that nobody declared, and how to declare it."""
    if not adapter.layer_is_guess or adapter.grid is None:
        return
    height, width = adapter.grid
    print(
        f"guessed   target layer of {adapter.name}: {adapter.target_layer}, {adapter.layout.shape},"
        f" {height} x {width} places; another by models.{adapter.name}.target_layer=...",
        file=sys.stderr,
    )


def _classes(config: AuditConfig) -> Mapping[str, Sequence[int]]:
    """Object -> the ImageNet classes that count as right: its own, or those the studio's design names instead."""
    own = {name: asset.imagenet for name, asset in ASSETS.items()}
    studio = config.designs.get(SCENE_SETS["classification"])
    if studio is None or not (studio.classes or studio.assets):
        return own
    from audit.models.classification_task import classes_named, classes_of

    users = {n: classes_named(f"design.assets.{n}.classes", a.classes) for n, a in studio.assets.items()}
    return classes_of(studio.classes, {**own, **users})


def _check_recipe(config: AuditConfig, adapter: Adapter) -> None:
    """A recipe speaks of factors and levels that exist; a misspelt one would mark every finding as expected."""
    try:
        factors.check_levels(parts.known_factors(config, adapter.task.scene_set), adapter.recipe or {})
    except DesignError as error:
        raise DesignError(f"recipe of model {adapter.name}: {error}") from None

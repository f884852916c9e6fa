"""Studio scenes for tests: every asset under a sun, as a ghost, and gone; and floors with shadows from outside."""

from __future__ import annotations

import dataclasses

from scenes import factors, studio
from scenes.assets import ASSETS
from scenes.design import Condition, Design
from scenes.planning import Quality
from scenes.scene_spec import SceneSpec

VIEW = studio.View(size=112)
CONTROL = {"presence": "object", "object_color": "natural", "light": "key", "outside_shadow": "none"}
FACTORS = {
    "object_color": ("natural", "unusual", "equal"),
    "light": ("key", "back", "dim", "red"),
    "outside_shadow": ("none", "unblocked", "half", "slats"),
}
DESIGN = Design("studio", FACTORS, CONTROL, 2, crossing="one_at_a_time", objects=("lemon", "bucket"))


def scene(name: str, pose: int = 0, **levels: str) -> SceneSpec:
    """An asset's scene in a pose; levels that are not named are at control."""
    base, drawn = studio.draw(0, ASSETS[name], pose, VIEW, Quality(samples=16))
    return factors.apply(factors.REGISTRY["studio"], base, Condition(tuple({**CONTROL, **levels}.items())), drawn)


SUNLIT = {name: scene(name, outside_shadow="unblocked") for name in ASSETS}
GHOSTS = {name: scene(name, outside_shadow="unblocked", presence="ghost") for name in ASSETS}
GONE = {name: scene(name, outside_shadow="unblocked", presence="empty") for name in ASSETS}
SHADED = {level: scene("lemon", outside_shadow=level, presence="empty") for level in ("half", "slats")}
ALL = [*SUNLIT.values(), *GHOSTS.values(), *GONE.values(), *SHADED.values()]


def without_blockers(spec: SceneSpec) -> SceneSpec:
    return dataclasses.replace(spec, blockers=())

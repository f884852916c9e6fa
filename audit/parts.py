"""From configuration to the parts that the stages work with: robot, camera, view, designs, and the scenes planned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from audit.config import PICTURES, AuditConfig
from scenes import factors, studio, tabletop
from scenes.assets import own
from scenes.assets.asset import Asset
from scenes.design import OBJECT, PRESENCE, Design, DesignError
from scenes.importing import bring_in
from scenes.planning import Planned, Quality
from scenes.proximity import Robot, Sensor
from scenes.renderer import WorkerSettings
from scenes.scene_spec import SceneError
from scenes.store import Store
from scenes.studio import View
from scenes.tabletop import Camera


def robot(config: AuditConfig) -> Robot:
    r = config.robot
    return Robot(
        sensors=tuple(Sensor(name, *place) for name, place in r.sensors.items()),
        height=r.height,
        cone=r.cone,
        rays=r.rays,
        range=r.range,
        body_front=r.body_front,
        body_width=r.body_width,
        distances=r.distances,
        scored=r.scored,
        horizon=r.horizon,
    )


def camera(config: AuditConfig) -> Camera:
    c = config.camera
    x, y, z = c.position
    return Camera(c.width, c.height, c.field_of_view, (x, y, z), c.tilt, c.tilt_range)


def view(config: AuditConfig) -> View:
    s = config.studio
    return View(s.size, s.field_of_view, s.yaw_range, s.elevation_range, s.fill_range)


def quality(config: AuditConfig, scene_set: str) -> Quality:
    d = config.designs[scene_set]
    return Quality(d.samples, d.denoise)


def design(config: AuditConfig, scene_set: str) -> Design:
    """The design of one scene set as configured. Raises DesignError for unknown factors, levels and controls.

    What design.keep names is kept together with what it is compared with: the control level, or a level's own partner;
    where factors are sampled, the control condition and the level or bin that the others are contrasted with.
    """
    whole, kept = whole_design(config, scene_set), config.designs[scene_set].keep
    compared, references = partners(config, scene_set), whole.references
    keep = {OBJECT: [str(v) for v in kept[OBJECT]]} if OBJECT in kept else {}
    for name, levels in kept.items():
        if name not in ("seeds", OBJECT):
            others = [compared.get(name, {}).get(str(level), references.get(name, str(level))) for level in levels]
            keep[name] = list(dict.fromkeys([whole.control[name], *others, *(str(level) for level in levels)]))
    return replace(whole, keep=keep, seeds=[int(s) for s in kept["seeds"]] if "seeds" in kept else None)


def whole_design(config: AuditConfig, scene_set: str) -> Design:
    """The design of one scene set, whatever design.keep leaves of it. Raises DesignError."""
    d, known = config.designs[scene_set], known_factors(config, scene_set)
    factors.validate(known, d.factors)
    return Design(
        name=d.name,
        factors=factors.expanded(d.factors),
        control={PRESENCE: "object", **factors.controls(known, d.factors, d.control)},
        blocks=d.seeds,
        seed=config.seed,
        crossing=d.crossing,
        objects=d.objects,
        arms=d.arms,
        arms_of=d.arms_of,
        points=d.points,
        own_points=d.own_points,
        bins=d.bins,
        ranges=factors.sampled(d.factors),
    )


def partners(config: AuditConfig, scene_set: str) -> dict[str, dict[str, str]]:
    """Factor -> level -> the level it is compared with, where that is not the control."""
    return factors.partners(known_factors(config, scene_set), config.designs[scene_set].factors)


def known_factors(config: AuditConfig, scene_set: str) -> factors.Known:
    """The factors a design of the set may have, the user's own among them. Raises DesignError."""
    return factors.known(scene_set, config.designs[scene_set].modules if scene_set in config.designs else ())


def plan(config: AuditConfig, scene_sets: Iterable[str]) -> list[Planned]:
    """Every cell of the designs of these scene sets, in their order. Raises DesignError, SceneError."""
    found: list[Planned] = []
    for scene_set in scene_sets:
        if scene_set == PICTURES:
            raise DesignError("pictures are there already, nothing is planned or rendered for them; `run` audits them")
        cells, grade, known = design(config, scene_set), quality(config, scene_set), known_factors(config, scene_set)
        if scene_set == "tabletop":
            found += tabletop.plan(cells, camera(config), robot(config), grade, known)
        else:
            found += studio.plan(cells, view(config), grade, known, own_assets(config, scene_set))
    return found


def own_assets(config: AuditConfig, scene_set: str) -> dict[str, Asset]:
    """The user's own assets that the design shows, by name; those that the store lacks are brought in, by Blender.

    Raises DesignError, which names the setting, for a file that cannot be used.
    """
    d, found = config.designs[scene_set], {}
    for name in (name for name in d.objects if name in d.assets):
        a = d.assets[name]
        try:
            imported = bring_in(Path(a.path), Path(config.paths.store), a.up, a.yaw)
        except SceneError as error:
            raise DesignError(f"designs.{scene_set}.assets.{name}.path={error}") from error
        found[name] = own.declared(name, imported, a.elevation, a.fill, a.stage, a.unusual)
    return found


def store(config: AuditConfig) -> Store:
    return Store(Path(config.paths.store))


def workers(config: AuditConfig) -> WorkerSettings:
    r = config.renderer
    return WorkerSettings(r.workers, r.timeout, r.memory_limit * 1e9, r.retries)

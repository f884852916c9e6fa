"""From configuration to the parts that the stages work with: robot, camera, design."""

from __future__ import annotations

from pathlib import Path

from audit.config import AuditConfig
from scenes import factors
from scenes.design import Design
from scenes.proximity import Robot, Sensor
from scenes.renderer import WorkerSettings
from scenes.store import Store
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


def design(config: AuditConfig) -> Design:
    """The design as configured. Raises DesignError for unknown factors, levels and controls.

    What design.keep names is kept together with the control level: without it nothing could be compared.
    """
    d = config.design
    factors.validate(d.scene_set, d.factors)
    control = {"presence": "object", **factors.controls(d.factors, d.control)}
    keep = {name: [control[name], *levels] for name, levels in d.keep.items() if name != "seeds"}
    return Design(
        name=d.name,
        factors=d.factors,
        control=control,
        blocks=d.seeds,
        seed=config.seed,
        arms=d.arms,
        keep=keep,
        seeds=[int(s) for s in d.keep["seeds"]] if "seeds" in d.keep else None,
    )


def store(config: AuditConfig) -> Store:
    return Store(Path(config.paths.store))


def workers(config: AuditConfig) -> WorkerSettings:
    r = config.renderer
    return WorkerSettings(r.workers, r.timeout, r.memory_limit * 1e9, r.retries)

"""The scenes the proximity network is trained on: varied floors, shapes, colours, lights, as in public recordings.

Obstacles differ clearly from the floor (CIEDE2000 above 15), light comes from the front half and shadows are soft. What
that leaves out is for the audit to find; neither is tuned to the other.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from scenes import color, proximity
from scenes.design import derive_seed
from scenes.factors import light
from scenes.framing import visible_share
from scenes.nuisance import generator
from scenes.proximity import Robot
from scenes.scene_spec import CameraSpec, MaterialSpec, ObjectSpec, SceneError, SceneSpec
from scenes.standing import GAP
from scenes.tabletop import Camera, draw_material, draw_obstacle

# Factor -> levels, numbers and ranges that these scenes hold: what a finding beyond them has to be read against.
RECIPE = {
    "relation": ["distinct"],
    "color_difference": ["15..26"],
    "object_color": ["drawn"],
    "light": ["front"],
    "light_strength": ["0.6..1.4"],
    "light_color": ["neutral"],
    "cast_shadow": ["soft"],
    "outside_shadow": ["none"],
    "floor_texture": ["drawn", "plain", "noise", "checker", "stripes", "speckle"],
    "floor_color": ["drawn", "grey", "brown"],
    "floor_gloss": ["drawn", "matt"],
    "obstacle": ["drawn", "box", "cylinder", "sphere"],
    "distance": ["drawn", "0.02..0.4"],
    "offset": ["drawn", "-0.12..0.12"],
    "yaw": ["drawn", "0..180"],
    "camera_pitch": ["drawn", "52..60"],
    "field_of_view": ["configured"],
    "distractors": ["none"],
    "presence": ["object", "empty"],
}
EMPTY_SHARE = 0.15
SECOND_SHARE = 0.2  # of scenes with an obstacle, those with two
LEAST_DIFFERENCE = 15.0  # CIEDE2000


def scene(seed: int, number: int, camera: Camera, robot: Robot, samples: int) -> SceneSpec:
    """Training scene `number` of a seed. The same arguments give the same scene."""
    rng = generator(seed, number, "training")
    view = camera.at(camera.tilt + rng.uniform(-camera.tilt_range, camera.tilt_range))
    floor = draw_material(rng, color.draw_floor_color(rng))
    floor = dataclasses.replace(floor, contrast=min(floor.contrast * 1.5, 0.45))
    things: tuple[ObjectSpec, ...] = ()
    if rng.random() > EMPTY_SHARE:
        for _ in range(2 if rng.random() < SECOND_SHARE else 1):
            things = (*things, _obstacle(rng, view, robot, floor, things))
    place = light.Placement(
        azimuth=180 + rng.uniform(-80, 80),
        elevation=rng.uniform(30, 75),
        distance=rng.uniform(0.8, 1.4),
        exposure=rng.uniform(0.5, 1.3),
    )
    red, green, blue = (float(t) for t in rng.uniform(0.85, 1.0, 3))
    return SceneSpec(
        camera=view,
        floor=floor,
        objects=things,
        key=light.placed(place, size=float(rng.uniform(0.25, 0.6)), color=(red, green, blue)),
        world_color=(1.0, 1.0, 1.0),
        world_strength=float(rng.uniform(0.12, 0.45)),
        samples=samples,
        render_seed=derive_seed(seed, number, "training render"),
    )


def _obstacle(
    rng: np.random.Generator, view: CameraSpec, robot: Robot, floor: MaterialSpec, others: tuple[ObjectSpec, ...]
) -> ObjectSpec:
    for _ in range(2000):
        material = draw_material(rng, color.draw_floor_color(rng))
        if float(color.delta_e(material.color, floor.color)) <= LEAST_DIFFERENCE:
            continue
        thing = draw_obstacle(rng, (0.06, 0.55), 40.0, material)
        away = proximity.distance_to_sensors(thing, robot)
        apart = all(np.hypot(*np.subtract(o.position, thing.position)) > 0.16 for o in others)
        if away >= GAP and apart and visible_share(thing, view) >= 0.3:
            return thing
    raise SceneError("no obstacle fits the training recipe")

"""Proximity labels: closed form on boxes, a slow literal oracle, and symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from closed_form import CAMERA, an_object
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes import proximity
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.scene_spec import ObjectSpec

CENTRE = 2


def wall(front: float) -> ObjectSpec:
    """A wall across the robot's way whose front face is at x = front."""
    return an_object("box", size=(0.1, 2.0, 0.1), position=(front + 0.05, 0.0), yaw=0.0)


def test_the_centre_sensor_meets_a_wall_from_eleven_centimetres_on() -> None:
    label = proximity.labels([wall(0.30)], ROBOT)[:, CENTRE]
    # sensor at x = .08, range .11: met once .08 + d >= .19, so from d = 11 cm; the body touches at d = 22 cm
    assert label[:11].tolist() == [0] * 11
    assert label[11:22].tolist() == [1] * 11
    assert set(label[22:]) == {-1}


def test_a_turned_sensor_meets_the_wall_where_its_outermost_ray_does() -> None:
    sensor = ROBOT.sensors[0]
    steepest = math.radians(sensor.yaw) - ROBOT.cone / 2  # the ray of the fan that points most nearly ahead
    reach = sensor.x + ROBOT.range * math.cos(steepest)
    first = next(d for d in range(65) if reach + d / 100 >= 0.30 - 1e-9)
    label = proximity.labels([wall(0.30)], ROBOT)[:, 0]
    assert int(np.argmax(label == 1)) == first


def test_an_obstacle_beside_the_way_never_becomes_unknown() -> None:
    beside = an_object("box", size=(0.1, 0.1, 0.1), position=(0.3, 0.2), yaw=0.0)
    assert (proximity.labels([beside], ROBOT) >= 0).all()


def test_an_obstacle_lower_than_the_sensors_is_not_met() -> None:
    low = an_object("box", size=(0.1, 0.1, 0.02), position=(0.3, 0.0))
    assert (proximity.labels([low], ROBOT) == 0).all()


def test_ghosts_and_empty_floors_are_no_obstacles() -> None:
    ghost = an_object("box", is_visible=False)
    assert (proximity.labels([ghost], ROBOT) == 0).all()
    assert (proximity.labels([], ROBOT) == 0).all()


positions = st.tuples(st.floats(0.16, 0.5), st.floats(-0.2, 0.2))
obstacles = st.builds(
    lambda shape, at, size, yaw: an_object(shape, position=at, size=(size, size, size), yaw=yaw),
    st.sampled_from(["box", "cylinder", "sphere"]),
    positions,
    st.floats(0.07, 0.14),
    st.floats(0, 360),
)


@settings(max_examples=25, deadline=None)
@given(obstacles)
def test_a_mirrored_obstacle_gives_the_mirrored_labels(thing: ObjectSpec) -> None:
    mirrored = an_object(thing.shape, position=(thing.position[0], -thing.position[1]), size=thing.size, yaw=-thing.yaw)
    here, there = proximity.labels([thing], ROBOT), proximity.labels([mirrored], ROBOT)
    assert (here == there[:, ::-1]).mean() > 0.99  # a ray that grazes may round either way


def inside(thing: ObjectSpec, x: float, y: float) -> bool:
    """Whether a point at the sensors' height lies in the object, from the shape's own definition."""
    c, s = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    dx, dy = x - thing.position[0], y - thing.position[1]
    u, v = c * dx + s * dy, -s * dx + c * dy
    if thing.shape == "box":
        return abs(u) <= thing.size[0] / 2 and abs(v) <= thing.size[1] / 2
    radius = thing.size[0] / 2
    if thing.shape == "sphere":
        radius = math.sqrt(max(radius**2 - (ROBOT.height - radius) ** 2, 0.0))
    return math.hypot(u, v) <= radius


def literal_label(thing: ObjectSpec, d: int, s: int) -> int:
    """Walk along each ray of the fan in steps of .25 mm."""
    sensor = ROBOT.sensors[s]
    for k in range(ROBOT.rays):
        angle = math.radians(sensor.yaw) - ROBOT.cone / 2 + ROBOT.cone * k / (ROBOT.rays - 1)
        for step in range(int(ROBOT.range / 0.00025) + 1):
            r = step * 0.00025
            if inside(thing, sensor.x + d / 100 + r * math.cos(angle), sensor.y + r * math.sin(angle)):
                return 1
    return 0


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_labels_agree_with_walking_along_every_ray(shape: str) -> None:
    thing = an_object(shape, position=(0.33, 0.05), size=(0.09, 0.09, 0.09))
    label = proximity.labels([thing], ROBOT)
    for d in range(0, 31, 3):
        for s in range(5):
            if label[d, s] >= 0:
                assert label[d, s] == literal_label(thing, d, s), (d, s)


def test_the_body_touches_at_the_nearest_point_of_a_cylinder() -> None:
    thing = an_object("cylinder", position=(0.30, 0.0), size=(0.10, 0.10, 0.1), yaw=0.0)
    unknown = (proximity.labels([thing], ROBOT) == -1).any(axis=1)
    assert int(np.argmax(unknown)) == 17  # .30 - .05 - .08 = .17 m


def test_the_distance_is_from_the_nearest_sensor_to_the_nearest_face() -> None:
    assert proximity.distance_to_sensors(wall(0.30), ROBOT) == pytest.approx(0.30 - 0.08)


def test_a_cone_is_in_view_once_all_of_it_lies_in_the_image() -> None:
    seen = proximity.in_view(CAMERA, ROBOT)[:31]
    assert seen.argmax(axis=0).tolist() == [12, 4, 4, 4, 12]  # outer cones reach out of the side of the image
    assert all(seen[d:, s].all() for s, d in enumerate([12, 4, 4, 4, 12]))

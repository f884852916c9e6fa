"""What a sensor's cone holds of the object that a picture shows: the ground truth of where one sensor should look.

From the depth pass every pixel has a place in the robot's frame. Seen from above, a sensor's cone is a sector: full
angle `Robot.cone` around its axis, `Robot.range` deep, its tip at the sensor, `travel` further along x. The fan of
`scenes.proximity` is planar, at the sensors' height; here a pixel belongs to the cone by its ground position alone, at
whatever height it lies. A face that stands upright in the sector is so counted from the floor to its top.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scenes.proximity import Robot, camera_axes
from scenes.scene_spec import CameraSpec

Array = NDArray[np.float64]


def seen_points(depth: NDArray[np.float32], camera: CameraSpec) -> Array:
    """(H, W, 3) in m, robot frame: what each pixel's centre shows; NaN where it shows nothing.

    depth: (H, W) in m along the camera's axis, inf where nothing, as `scenes.store.Render` has it.
    """
    right, up, forward = camera_axes(camera)
    focal = camera.width / 2 / math.tan(math.radians(camera.field_of_view) / 2)
    across = (np.arange(camera.width) + 0.5 - camera.width / 2) / focal
    above = (camera.height / 2 - np.arange(camera.height) - 0.5) / focal
    ray = forward + across[None, :, None] * right + above[:, None, None] * up  # 1 m along the axis
    along = np.where(np.isfinite(depth), depth, np.nan).astype(np.float64)
    points: Array = np.array(camera.position) + along[..., None] * ray
    return points


def inside(ground: Array, robot: Robot, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(C, P): whether ground positions (P, 2) in m lie in the cones of cells (C,); False for those that are NaN.

    A cell is an index, centimetres of travel * number of sensors + sensor.
    """
    count = len(robot.sensors)
    at = np.array([(s.x, s.y) for s in robot.sensors])[cells % count]
    at = at + np.stack([cells // count * 0.01, np.zeros(len(cells))], axis=1)
    yaw = np.radians([s.yaw for s in robot.sensors])[cells % count]
    away = ground[None] - at[:, None]
    ahead = away[..., 0] * np.cos(yaw)[:, None] + away[..., 1] * np.sin(yaw)[:, None]
    aside = away[..., 1] * np.cos(yaw)[:, None] - away[..., 0] * np.sin(yaw)[:, None]
    in_angle = (ahead >= 0) & (np.abs(aside) <= ahead * math.tan(robot.cone / 2))
    found: NDArray[np.bool_] = in_angle & (ahead**2 + aside**2 <= robot.range**2)
    return found


def object_inside(
    mask: NDArray[np.float32],
    depth: NDArray[np.float32],
    camera: CameraSpec,
    robot: Robot,
    cells: NDArray[np.int64],
) -> NDArray[np.float32]:
    """(C, H, W) in [0, 1]: the object's fraction of each pixel, where what it shows lies in the cone of the cell.

    mask: (H, W) fractions of the object. depth, cells: as above. A cone that holds nothing the camera sees of the
    object is dark: the part may be hidden, or out of the picture.
    """
    found = np.zeros((len(cells), *mask.shape), dtype=np.float32)
    rows, columns = np.nonzero(mask > 0)
    ground = seen_points(depth, camera)[rows, columns, :2]
    found[:, rows, columns] = inside(ground, robot, cells) * mask[rows, columns]
    return found

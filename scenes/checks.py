"""Render checks, before anything is scored: is the picture what the spec says? And what was measured on it.

A scene that fails a check is kept in the table with its reason and left out of every number.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes import color, proximity, shadow, silhouette
from scenes.proximity import Robot
from scenes.scene_spec import OBSTACLES, SHAPES, CameraSpec, ObjectSpec, SceneSpec
from scenes.store import Render

LEAST_OBJECT = 20 / (80 * 64)  # share of the picture: below, nobody could see it
MOST_HIDDEN = 0.5  # share of what the frame holds of the object: beyond, what is judged is hardly the object
LEAST_AGREEMENT = 0.9  # IoU of the rendered mask with the one the spec's shapes project to
ENDLESS = 3.0  # pictures' sizes beyond each border: as far as an object is followed out of the frame
DARKEST = 0.004  # mean linear luminance
FLATTEST = 0.5  # standard deviation of the picture in 8-bit levels


@dataclass(frozen=True)
class Checked:
    """status: ok, rejected. The covariates are what scenes.manifest.SCENES declares under the same names."""

    status: str
    reason: str
    shape: str
    distance_m: float
    albedo_delta_e: float
    contour_delta_e: float
    box_left: float
    box_top: float
    box_right: float
    box_bottom: float
    visible_fraction: float
    object_px: float
    shadow_px: float
    outside_px: float
    reflection_px: float
    distractor_px: float
    object_clipped: float
    floor_clipped: float
    mean_luminance: float


def check(spec: SceneSpec, render: Render, robot: Robot | None) -> Checked:
    """The checks and covariates of one rendered scene; without a robot there is no distance to its sensors."""
    visible = [o for o in spec.objects if o.is_visible]
    linear = color.srgb_decode(render.rgb / 255.0)
    luminance = _rounded((linear * np.array([0.2126, 0.7152, 0.0722])).sum(axis=-1).mean())
    seen = render.object > 0
    left, top, right, bottom = bounding_box(seen)
    reason = _fault(spec.camera, visible, render, seen, luminance)
    clipped = ((render.rgb == 0) | (render.rgb == 255)).any(axis=-1)
    floor, thing = render.albedo.astype(float)
    return Checked(
        status="rejected" if reason else "ok",
        reason=reason,
        shape=" and ".join(o.shape for o in spec.objects) or "none",
        distance_m=_distance(visible, robot),
        albedo_delta_e=_rounded(color.delta_e(floor, thing)) if seen.any() and np.isfinite(floor).all() else math.nan,
        contour_delta_e=_rounded(contour_difference(linear, seen)),
        box_left=left,
        box_top=top,
        box_right=right,
        box_bottom=bottom,
        visible_fraction=_rounded(visible_fraction(spec.camera, visible, seen, render.distractors > 0)),
        object_px=float(seen.sum()),
        shadow_px=_rounded((render.shadow * render.floor).sum()),
        outside_px=_rounded((render.outside * render.floor).sum()),
        reflection_px=float(render.reflection.sum()),
        distractor_px=float(render.distractors.sum()),
        object_clipped=float(clipped[seen].mean()) if seen.any() else math.nan,
        floor_clipped=float(clipped[render.floor > 0].mean()) if (render.floor > 0).any() else math.nan,
        mean_luminance=luminance,
    )


def _distance(visible: list[ObjectSpec], robot: Robot | None) -> float:
    if robot is None:
        return math.nan
    return _rounded(min((proximity.distance_to_sensors(o, robot) for o in visible), default=math.nan))


def _rounded(value: float | np.floating[Any] | NDArray[np.float64]) -> float:
    """To 1e-6: the last bits of a sum depend on where memory happens to lie, and tables are to be equal to the byte."""
    return round(float(value), 6)


def _fault(
    camera: CameraSpec, visible: list[ObjectSpec], render: Render, seen: NDArray[np.bool_], luminance: float
) -> str:
    """The first check that fails, in words; empty when none does."""
    if luminance < DARKEST:
        return f"black: mean luminance {luminance:.4f}"
    if float(render.rgb.std()) < FLATTEST:
        return "flat: the picture has no structure"
    if not visible:
        return "an object is seen where there should be none" if seen.any() else ""
    expected = projected_mask(camera, visible)
    hidden = float((expected & (render.distractors > 0)).sum() / max(expected.sum(), 1))
    if hidden > MOST_HIDDEN:
        return f"object hidden: distractors cover {hidden:.0%} of it"
    if seen.mean() < LEAST_OBJECT:
        return f"object not visible: {int(seen.sum())} px"
    if any(o.shape not in (*SHAPES, *OBSTACLES) for o in visible) and _at_border(seen):
        return "the object is cut by the picture's border"
    expected &= render.distractors == 0
    agreement = float((expected & seen).sum() / max((expected | seen).sum(), 1))
    if agreement < LEAST_AGREEMENT:
        return f"geometry cut or misplaced: mask agrees with the spec by {agreement:.2f}"
    return ""


def projected_mask(camera: CameraSpec, things: list[ObjectSpec]) -> NDArray[np.bool_]:
    """Pixels (H, W) whose centre's ray meets an object, in closed form: what the renderer's mask has to be.

    Of an asset its convex pieces, which lack what is hollow between them.
    """
    rays, _ = shadow.pixel_rays(camera)
    start = np.broadcast_to(np.array(camera.position), rays.shape).reshape(-1, 3)
    hit = np.zeros(len(start), dtype=bool)
    for thing in things:
        if thing.shape in SHAPES:
            hit |= shadow.blocks(thing, start, rays.reshape(-1, 3) * 100.0)
    return hit.reshape(rays.shape[:2]) | silhouette.seen(silhouette.pieces_of(things), camera)


def visible_fraction(
    camera: CameraSpec, things: list[ObjectSpec], seen: NDArray[np.bool_], before: NDArray[np.bool_]
) -> float:
    """Pixels that show an object over those that would with nothing before it on an endless picture; NaN without one.

    seen, before: (H, W), where the picture shows an object, and where something that may stand before one. To what is
    seen comes what is hidden or out of the frame, in closed form. The picture is continued as far as ENDLESS.
    """
    if not things:
        return math.nan
    wide = _widened(camera, things)
    whole = projected_mask(wide, things)
    aside, above = (wide.width - camera.width) // 2, (wide.height - camera.height) // 2
    framed = whole[above : above + camera.height, aside : aside + camera.width]
    lost = whole.sum() - framed.sum() + (framed & before).sum()
    return float(seen.sum() / (seen.sum() + lost)) if seen.any() or lost else math.nan


def _widened(camera: CameraSpec, things: list[ObjectSpec]) -> CameraSpec:
    """The camera with the picture continued on all sides, pixel by pixel, until the objects are in it."""
    corners = [shadow.prism(o) for o in things if o.shape in SHAPES]
    points = [piece.reshape(-1, 3) for piece in (*corners, *silhouette.pieces_of(things))]
    u, v, depth = proximity.project(np.concatenate(points), camera)
    more = []
    for place, length in ((u, camera.width), (v, camera.height)):
        beyond = np.maximum(-place, place - length)[depth > silhouette.NEAREST].max(initial=0.0)
        is_in_front = bool((depth > silhouette.NEAREST).all())
        more.append(math.ceil(min(beyond, ENDLESS * length) if is_in_front else ENDLESS * length))
    width, height = camera.width + 2 * more[0], camera.height + 2 * more[1]
    half = math.tan(math.radians(camera.field_of_view) / 2) * width / camera.width
    return dataclasses.replace(camera, width=width, height=height, field_of_view=2 * math.degrees(math.atan(half)))


def bounding_box(seen: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the mask (H, W) in px from the picture's corner, at the pixels' outer edges.

    So right - left is the width in pixels. NaN where nothing is seen.
    """
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return (math.nan,) * 4
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _at_border(seen: NDArray[np.bool_]) -> bool:
    return bool(seen[0].any() or seen[-1].any() or seen[:, 0].any() or seen[:, -1].any())


def contour_difference(linear: NDArray[np.float64], seen: NDArray[np.bool_]) -> float:
    """Median CIEDE2000 across the object's outline.

    One pixel further in is held against one further out, since the pixel filter mixes the outline's own.
    """
    inside, outside = [], []
    for picture, mask in ((linear, seen), (linear.transpose(1, 0, 2), seen.T)):
        a, b, c, d = mask[:-3], mask[1:-2], mask[2:-1], mask[3:]
        leaving, entering = a & b & ~c & ~d, ~a & ~b & c & d
        inside += [picture[:-3][leaving], picture[3:][entering]]
        outside += [picture[3:][leaving], picture[:-3][entering]]
    pairs_in, pairs_out = np.concatenate(inside), np.concatenate(outside)
    return float(np.median(color.delta_e(pairs_in, pairs_out))) if len(pairs_in) else math.nan

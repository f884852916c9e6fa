"""What the maps select: regions cut out of the picture, beside the picture with the true and the selected boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from audit.metrics.selection import box_iou
from reports import pictures, words
from reports.levels import ordered
from reports.numbers import number
from reports.picture_run import read_picture
from reports.pictures import Assets, Picture
from reports.run_record import RunRecord
from reports.scene_views import Gallery
from scenes.store import StoreError

TRUE_LINE, SELECTED_LINE = (255, 255, 255), (255, 214, 0)
_CASING = (0, 0, 0)
_WIDTH = 160  # px of the whole picture
_CROP = 104  # px of a crop's longer side at most
_LARGEST = 4.0  # times that a small crop is enlarged
_DASH = 4  # px
_BOX = ("box_left", "box_top", "box_right", "box_bottom")


@dataclass(frozen=True)
class CropScene:
    """One picture: as a whole with its boxes, and its regions with what is to be said of each."""

    title: str
    whole: Picture
    regions: tuple[tuple[Picture, str], ...]


@dataclass(frozen=True)
class CropGroup:
    """The pictures of one class or object. mean: of the first box's IoU, in words; '' without ground truth."""

    title: str
    mean: str
    scenes: tuple[CropScene, ...]


@dataclass(frozen=True)
class CropMethod:
    """One method. note: what keeps its regions from being findings, '' where nothing does."""

    title: str
    threshold: str
    note: str
    groups: tuple[CropGroup, ...]


def crops(record: RunRecord, gallery: Gallery, model: str) -> list[CropMethod]:
    """What each method's map selects, by class or object; empty where nothing was cut out."""
    frame = record.frame("crops")
    mine = frame[frame["model"] == model]
    methods = ordered(list(mine["method"]), [str(m) for m in _configured(record)])
    return [_method(record, gallery, model, method, mine[mine["method"] == method]) for method in methods]


def _method(record: RunRecord, gallery: Gallery, model: str, method: str, rows: pd.DataFrame) -> CropMethod:
    groups = []
    for group in ordered(list(rows["target"]), record.objects):
        of_group = rows[rows["target"] == group]
        scenes, found = [], []
        for scene_id in _in_order(record, of_group):
            regions = of_group[of_group["scene_id"] == scene_id].sort_values("number")
            rgb, box, title = _source(record, gallery, scene_id)
            if rgb is None:
                continue
            scenes.append(_scene(gallery.assets, rgb, box, title, model, method, scene_id, regions))
            frame_iou = box_iou(box, (0, 0, rgb.shape[1], rgb.shape[0]))
            found.append((float(regions["iou"].iloc[0]), frame_iou))
        if scenes:
            groups.append(CropGroup(words.capital(words.thing(group)), _mean(found), tuple(scenes)))
    threshold = number(float(rows["threshold"].iloc[0]))
    return CropMethod(words.capital(words.method(method)), threshold, _note(record, model, method), tuple(groups))


def _note(record: RunRecord, model: str, method: str) -> str:
    if record.is_pictures:
        return ""
    earned = record.frame("earned")
    rows = earned[(earned["model"] == model) & (earned["method"] == method) & (earned["region"] == "object")]
    if len(rows) and rows["earned"].iloc[0]:
        return ""
    why = "not tested by interventions"
    if len(rows):
        why = words.why_not_earned(str(rows["reason"].iloc[0]))
    return f"Not earned: {why}. These are pictures, and no finding rests on them."


def _mean(found: Sequence[tuple[float, float]]) -> str:
    own, frame = (float(np.mean(values)) for values in zip(*found, strict=True))
    if np.isnan(own):
        return ""
    return f"mean IoU of the first box {number(own, False)}; of a box round the whole picture {number(frame, False)}"


def _in_order(record: RunRecord, rows: pd.DataFrame) -> list[str]:
    """Scene ids, those at control first, then by condition and block; pictures by name."""
    scenes = record.frame("scenes")
    if not len(scenes):
        return sorted(set(rows["scene_id"]))
    mine = scenes[scenes["scene_id"].isin(set(rows["scene_id"]))].drop_duplicates("scene_id")
    keyed = [(_away(record, row), str(row["block_id"]), str(row["scene_id"])) for _, row in mine.iterrows()]
    return [scene_id for _, _, scene_id in sorted(keyed)]


def _away(record: RunRecord, row: pd.Series) -> tuple[int, str]:
    levels = {f: str(row[f]) for f in record.levels}
    return sum(v != record.control.get(f) for f, v in levels.items()), words.condition(levels)


def _source(
    record: RunRecord, gallery: Gallery, scene_id: str
) -> tuple[np.ndarray | None, tuple[float, float, float, float], str]:
    """The picture (None where it is gone), the object's true box (NaN without ground truth), and what it is called."""
    nothing = (float("nan"),) * 4
    scenes = record.frame("scenes")
    if not len(scenes):
        return read_picture(record.folder / "pictures", scene_id), _four(nothing), scene_id
    row = scenes[scenes["scene_id"] == scene_id].iloc[0]
    box = _four([float(row[side]) for side in _BOX])
    title = f"{record.told_apart({f: str(row[f]) for f in record.levels})}, {words.block(str(row['block_id']))}"
    try:
        return gallery.read_scene(scene_id).rgb, box, title
    except StoreError:
        return None, box, title


def _four(values: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = values
    return left, top, right, bottom


def _scene(
    assets: Assets,
    rgb: np.ndarray,
    box: tuple[float, float, float, float],
    title: str,
    model: str,
    method: str,
    scene_id: str,
    regions: pd.DataFrame,
) -> CropScene:
    said, factor = words.method(method), _factor(rgb, _WIDTH)
    drawn = sized(rgb, factor)
    if not np.isnan(box).any():
        framed(drawn, box, factor, TRUE_LINE)
    shown = []
    for _, region in reversed(list(regions.iterrows())):  # the first box is drawn last, over the others
        framed(drawn, _corners(region), factor, SELECTED_LINE, dashed=int(region["number"]) > 1)
    for _, region in regions.iterrows():
        left, top, right, bottom = (int(v) for v in _corners(region))
        cut = rgb[top:bottom, left:right]
        fits = min(_CROP / max(cut.shape[:2]), _LARGEST)
        picture = assets.save(
            f"crop-{model}-{method}-{scene_id}-{region['number']}",
            sized(cut, fits),
            f"Region {region['number']} that {said} selects in: {title}",
            fits >= 2,
        )
        iou = float(region["iou"])
        share = f"{number(float(region['share']))} of the map"
        shown.append((picture, share if np.isnan(iou) else f"IoU {number(iou, False)}, {share}"))
    alt = f"{title}: the boxes that {said} selects" + ("" if np.isnan(box).any() else ", and the object's true box")
    whole = assets.save(f"boxes-{model}-{method}-{scene_id}", drawn, alt, factor >= 2)
    return CropScene(title, whole, tuple(shown))


def _corners(region: pd.Series) -> tuple[float, float, float, float]:
    return _four([float(region[side]) for side in ("x0", "y0", "x1", "y1")])


def _factor(rgb: np.ndarray, width: int) -> float:
    """How much a picture is enlarged, by whole pixels, or reduced, to be about `width` px wide."""
    factor = width / rgb.shape[1]
    return float(pictures.scale_for(rgb.shape, width)) if factor >= 1 else factor


def sized(rgb: np.ndarray, factor: float) -> np.ndarray:
    """A copy of (H, W, 3) uint8: pixels repeated for a whole factor, averaged for one below 1."""
    if factor >= 1:
        return pictures.enlarged(rgb, int(factor)).copy()
    size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
    return np.array(Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.BOX))


def framed(
    drawn: np.ndarray, box: Sequence[float], factor: float, colour: tuple[int, int, int], dashed: bool = False
) -> None:
    """A box's outline on an enlarged picture, in place: a line of `colour` just inside its edge, of black inside that.

    box: left, top, right, bottom in px of the picture before it was enlarged by `factor`. Dashed: every other piece.
    """
    height, width = drawn.shape[:2]
    left, top = (max(0, round(v * factor)) for v in box[:2])
    right, bottom = min(width, round(box[2] * factor)), min(height, round(box[3] * factor))
    rows, columns = np.indices((height, width))
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    depth = np.minimum(np.minimum(rows - top, bottom - 1 - rows), np.minimum(columns - left, right - 1 - columns))
    gap = (rows + columns) // _DASH % 2 == 1
    for line, at in ((colour, 0), (_CASING, 1)):
        drawn[inside & (depth == at) & ~(gap if dashed else np.zeros_like(gap))] = line


def _configured(record: RunRecord) -> Sequence[object]:
    attribution = record.config.get("attribution") or {}
    methods: Sequence[object] = (attribution.get("crops") or {}).get("methods") or attribution.get("methods") or ()
    return methods

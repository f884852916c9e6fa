"""One scene as a reader sees it: rendered picture, attribution over it, predicted against true grid, its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports import pictures, words
from reports.grids import output_grid
from reports.numbers import number
from reports.pictures import Assets, Picture
from reports.run_record import RunRecord
from scenes.store import Render, StoreError

_PICTURE_WIDTH = 240  # px, of the pictures beside an example; the arms are shown at two thirds
_ARM_WIDTH = 160
OBSTACLE, FALSE_ALARM = "", "false_alarm"  # folders below attributions/<model>


@dataclass(frozen=True)
class SceneView:
    """What the page shows of one scene. A part that cannot be shown is None and `note` says why."""

    title: str
    picture: Picture | None
    overlay: Picture | None
    overlay_note: str
    grid: Markup | None
    facts: tuple[str, ...]
    note: str = ""


@dataclass
class Gallery:
    """Makes SceneViews of one run; keeps the maps it has read and the pictures it has written.

    read_scene: scene id -> Render, raising when the store does not hold it.
    """

    record: RunRecord
    read_scene: Callable[[str], Render]
    assets: Assets
    _maps: dict[tuple[str, str], Mapping[str, np.ndarray]] = field(default_factory=dict)

    def example(
        self, model: str, row: pd.Series | None, title: str, metrics: tuple[str, ...], target: str = OBSTACLE
    ) -> SceneView:
        """A scene with its attribution overlay, for a finding card; `metrics` are printed beneath.

        target: what the overlay attributes, OBSTACLE (cells that hold it) or FALSE_ALARM (cells that alarm without).
        """
        render, note = self._render(row)
        if row is None or render is None:
            return SceneView(title, None, None, "", None, (), note)
        shape = words.condition(self._levels(row))
        scale = pictures.scale_for(render.rgb.shape, _PICTURE_WIDTH)
        picture = self.assets.save(
            f"{row['scene_id']}-x{scale}", pictures.enlarged(render.rgb, scale), f"Rendered scene: {shape}"
        )
        overlay, overlay_note = self._overlay(model, str(row["scene_id"]), render, scale, shape, target)
        return SceneView(
            title, picture, overlay, overlay_note, self._grid(model, row), self._facts(model, row, metrics)
        )

    def arm(self, model: str, row: pd.Series | None, title: str) -> SceneView:
        """A scene without overlay, smaller, for the four arms side by side."""
        render, note = self._render(row)
        if row is None or render is None:
            return SceneView(title, None, None, "", None, (), note)
        scale = pictures.scale_for(render.rgb.shape, _ARM_WIDTH)
        alt = f"{title}: {words.condition(self._levels(row))}"
        picture = self.assets.save(f"{row['scene_id']}-x{scale}", pictures.enlarged(render.rgb, scale), alt)
        return SceneView(title, picture, None, "", self._grid(model, row), self._answers(model, row))

    def maps(self, model: str, target: str = OBSTACLE) -> Mapping[str, np.ndarray]:
        """Scene id -> (h, w) float32 signed attribution of the primary method; empty where none were kept."""
        if (model, target) not in self._maps:
            folder = self.record.folder / "attributions" / model / target
            path = folder / f"{self.record.primary_method}.npz"
            self._maps[model, target] = {}
            if path.is_file():
                with np.load(path, allow_pickle=False) as held:
                    self._maps[model, target] = dict(zip(held["scene_ids"].tolist(), held["maps"], strict=True))
        return self._maps[model, target]

    def stamp(self, model: str) -> str:
        """'not earned: ...' for the primary method's overlays; empty where it earned its claims on the object."""
        earned = self.record.frame("earned")
        rows = earned[(earned["model"] == model) & (earned["method"] == self.record.primary_method)]
        rows = rows[rows["region"] == "object"]
        if not len(rows):
            return "not earned: not tested by interventions"
        row = rows.iloc[0]
        if row["earned"]:
            return ""
        return f"not earned: {words.why_not_earned(str(row['reason']), str(row['best_null']))}"

    def _render(self, row: pd.Series | None) -> tuple[Render | None, str]:
        if row is None:
            return None, "This condition is not in the design for this block."
        if row["status"] != "ok":
            return None, f"No usable picture: scene {row['status']} ({words.reason(str(row['reason']))})."
        try:
            return self.read_scene(str(row["scene_id"])), ""
        except StoreError:
            return None, f"The render store no longer holds scene {row['scene_id']}."

    def _overlay(
        self, model: str, scene_id: str, render: Render, scale: int, shape: str, target: str
    ) -> tuple[Picture, str]:
        method, values = words.method(self.record.primary_method), self.maps(model, target).get(scene_id)
        if values is None or np.isnan(values).all():
            plain = pictures.outlined(render.rgb, render.object, render.shadow, scale)
            why = self._why_no_map(model, scene_id, target)
            return self.assets.save(f"{scene_id}-outline", plain, f"True masks outlined: {shape}; {why}"), why
        stamp = self.stamp(model)
        if target == FALSE_ALARM and not stamp:
            stamp = "a picture: not judged by interventions"
        drawn, peak = pictures.overlay(render.rgb, values, render.object, render.shadow, scale, stamp)
        alt = f"{method} over the scene, true object and cast shadow outlined: {shape}" + (
            f"; {stamp}" if stamp else ""
        )
        of = "the false alarms" if target == FALSE_ALARM else "the true obstacle"
        note = f"{method} of {of}, peak {peak:.2g}" if peak > 0 else f"{method}: no positive relevance"
        name = "-".join(part for part in (scene_id, model, self.record.primary_method, target) if part)
        return self.assets.save(name, drawn, alt), note

    def _why_no_map(self, model: str, scene_id: str, target: str) -> str:
        label, probability = self.record.label(scene_id), self.record.response(model, scene_id)
        if target == OBSTACLE and label is not None and not (label == 1).any():
            return "no attribution: no true obstacle within 30 cm, so no target"
        if target == FALSE_ALARM and label is not None and probability is not None:
            is_wrong = (probability >= self.record.threshold(model)) & (label == 0)
            return "no map kept" if is_wrong.any() else "no false alarm, so nothing to attribute"
        return "no map kept"

    def _grid(self, model: str, row: pd.Series) -> Markup | None:
        scene = str(row["scene_id"])
        probability = self.record.response(model, scene)
        if probability is None:
            return None
        return output_grid(self.record.label(scene), probability, self.record.threshold(model), self.record.horizon)

    def _answers(self, model: str, row: pd.Series) -> tuple[str, ...]:
        """What the network does in one scene, in words."""
        share, target = (
            self.record.prediction(model, str(row["cell_id"]), m)[0] for m in ("sensor_alarm", "target_logit")
        )
        alarm = "answer undefined" if np.isnan(share) else "alarm" if share > 0 else "no alarm"
        sensors = "" if np.isnan(share) else f"{round(share * len(words.SENSORS))} of {len(words.SENSORS)} sensors"
        logit = f"target {number(target, percent=False)}" + (" (no obstacle to attribute)" if np.isnan(target) else "")
        return tuple(part for part in (alarm, sensors, logit) if part)

    def _facts(self, model: str, row: pd.Series, metrics: tuple[str, ...]) -> tuple[str, ...]:
        facts = []
        for name in metrics:
            value, why = self.record.prediction(model, str(row["cell_id"]), name)
            known = words.metric(name)
            shown = number(value, known.percent)
            facts.append(f"{known.title} {shown}" + (f" ({words.reason(why)})" if np.isnan(value) else ""))
        return tuple(facts)

    def _levels(self, row: pd.Series) -> dict[str, str]:
        return {f: str(row[f]) for f in (*self.record.levels, "presence") if f in row}

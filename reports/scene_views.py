"""One scene as a reader sees it: rendered picture, attribution over it, what was answered, and its numbers.

What is answered differs by task: a grid of the 31 x 5 cells beside the truth, or bars of the five likeliest classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from markupsafe import Markup

from audit.metrics.sensor_events import sensor_events
from reports import pictures, words
from reports.answer_bars import NARROW, WIDE, answer_bars
from reports.grids import output_grid
from reports.numbers import number
from reports.pictures import Assets, Picture
from reports.run_record import RunRecord
from scenes.design import OBJECT, PRESENCE
from scenes.store import Render, StoreError

_PICTURE_WIDTH = 240  # px, of the pictures beside an example; the arms are shown at two thirds
_ARM_WIDTH = 160
TRUE, MISTAKEN = (
    "",
    "mistaken",
)  # folders below attributions/<model>: maps of what is true, of what was answered instead


@dataclass(frozen=True)
class Pane:
    """A picture with the line beneath it."""

    picture: Picture
    caption: str


@dataclass(frozen=True)
class SceneView:
    """What the page shows of one scene: the picture, attributions over it, the answer as a grid or as bars, facts.

    A part that cannot be shown is None or empty; without a picture `note` says why.
    """

    title: str
    picture: Picture | None = None
    overlays: tuple[Pane, ...] = ()
    grid: Markup | None = None
    bars: Markup | None = None
    facts: tuple[str, ...] = ()
    note: str = ""


@dataclass
class Gallery:
    """Makes SceneViews of one scene set; keeps the maps it has read and the pictures it has written.

    read_scene: scene id -> Render, raising when the store does not hold it.
    """

    record: RunRecord
    read_scene: Callable[[str], Render]
    assets: Assets
    _maps: dict[tuple[str, str], Mapping[str, np.ndarray]] = field(default_factory=dict)

    def example(
        self, model: str, row: pd.Series | None, title: str, metrics: tuple[str, ...], target: str = TRUE
    ) -> SceneView:
        """A scene with its attribution overlay, for a finding card; `metrics` are printed beneath.

        target: what the overlay attributes, TRUE (cells that hold the obstacle, the right class) or MISTAKEN (cells
        that alarm without one). Of a classifier both are shown where it was wrong.
        """
        render, note = self._render(row)
        if row is None or render is None:
            return SceneView(title, note=note)
        shape = words.condition(self._levels(row))
        picture = self._picture(row, render, f"Rendered scene: {shape}", _PICTURE_WIDTH)
        scene, facts = str(row["scene_id"]), self._facts(model, row, metrics)
        if self.record.task == words.CLASSIFICATION:
            overlays = self._of_classes(model, row, render, shape)
            bars = answer_bars(self.record.answers(model, scene), WIDE)
            return SceneView(title, picture, overlays, None, bars, (self._named(model, row), *facts))
        overlay = self._overlay(model, scene, render, shape, target, self._of_cells(target))
        return SceneView(title, picture, (overlay,), self._grid(model, scene), None, facts)

    def arm(self, model: str, row: pd.Series | None, title: str) -> SceneView:
        """A scene without overlay, smaller, for the arms side by side."""
        render, note = self._render(row)
        if row is None or render is None:
            return SceneView(title, note=note)
        scene = str(row["scene_id"])
        picture = self._picture(row, render, f"{title}: {words.condition(self._levels(row))}", _ARM_WIDTH)
        if self.record.task == words.CLASSIFICATION:
            bars = answer_bars(self.record.answers(model, scene), NARROW)
            facts = (self._named(model, row), *self._facts(model, row, ("target_probability", "logit_margin")))
            return SceneView(title, picture, (), None, bars, facts)
        return SceneView(title, picture, (), self._grid(model, scene), None, self._alarms(model, row))

    def plain(self, row: pd.Series | None, title: str) -> Picture | None:
        """The picture of a scene alone; None where there is none."""
        render, _ = self._render(row)
        if row is None or render is None:
            return None
        return self._picture(row, render, f"{title}: {words.condition(self._levels(row))}", _ARM_WIDTH)

    def outlined(self, row: pd.Series | None) -> tuple[Picture | None, str]:
        """The scene with its true masks outlined, or None and why there is none."""
        render, note = self._render(row)
        if row is None or render is None:
            return None, note
        scale = pictures.scale_for(render.rgb.shape, _PICTURE_WIDTH)
        drawn = pictures.outlined(render.rgb, render.object, render.shadow, scale, render.outside)
        alt = f"Rendered scene, true object and cast shadow outlined: {words.condition(self._levels(row))}"
        return self.assets.save(f"{row['scene_id']}-outline", drawn, alt, scale > 1), ""

    def peak(self, model: str, row: pd.Series, target: str = TRUE) -> float:
        """The largest positive value of a scene's map as drawn; 0 without one."""
        render, values = self._render(row)[0], self.maps(model, target).get(str(row["scene_id"]))
        return 0.0 if render is None or values is None else pictures.peak_of(np.nan_to_num(values), render.rgb.shape)

    def compared(self, model: str, row: pd.Series, side: str, target: str, scale_to: float) -> tuple[Pane | None, str]:
        """A scene's map over it, for a page that shows two networks' maps; or None and why there is none.

        side: whose map it is, part of the file's name; scale_to: what the last colour stands for, in both maps.
        """
        render, note = self._render(row)
        scene_id = str(row["scene_id"])
        values = self.maps(model, target).get(scene_id)
        if render is None:
            return None, note
        if values is None or np.isnan(values).all():
            return None, self._why_no_map(model, scene_id, target)
        scale, stamp = pictures.scale_for(render.rgb.shape, _PICTURE_WIDTH), self.stamp(model)
        masks = (render.object, render.shadow)
        drawn, peak = pictures.overlay(render.rgb, values, *masks, scale, stamp, render.outside, scale_to)
        thing = words.thing(str(row.get(OBJECT, row["shape"])))
        said = self._of_class(thing) if self.record.task == words.CLASSIFICATION else self._of_cells(target)
        alt = f"The {side}'s map: {said} over the scene: {words.condition(self._levels(row))}"
        name = "-".join(part for part in (scene_id, side, model, self.record.primary_method, target) if part)
        picture = self.assets.save(name, drawn, alt + (f"; {stamp}" if stamp else ""), scale > 1)
        return Pane(picture, f"{said}, peak {peak:.2g}" if peak > 0 else f"{said}: no positive relevance"), ""

    def answered(self, model: str, row: pd.Series, metrics: tuple[str, ...]) -> SceneView:
        """What a network answered in one scene, without pictures: grid or bars, its sensors or class, and metrics."""
        scene, facts = str(row["scene_id"]), self._facts(model, row, metrics)
        if self.record.task == words.CLASSIFICATION:
            bars = answer_bars(self.record.answers(model, scene), NARROW)
            return SceneView("", bars=bars, facts=(self._named(model, row), *facts))
        return SceneView("", grid=self._grid(model, scene), facts=(*self._sensors(model, scene), *facts))

    def maps(self, model: str, target: str = TRUE) -> Mapping[str, np.ndarray]:
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
        return f"not earned: {words.why_not_earned(str(row['reason']))}"

    def _render(self, row: pd.Series | None) -> tuple[Render | None, str]:
        if row is None:
            return None, "This condition is not in the design for this block."
        if row["status"] != "ok":
            return None, f"No usable picture: scene {row['status']} ({words.reason(str(row['reason']))})."
        try:
            return self.read_scene(str(row["scene_id"])), ""
        except StoreError:
            return None, f"The render store no longer holds scene {row['scene_id']}."

    def _picture(self, row: pd.Series, render: Render, alt: str, width: int) -> Picture:
        scale = pictures.scale_for(render.rgb.shape, width)
        return self.assets.save(f"{row['scene_id']}-x{scale}", pictures.enlarged(render.rgb, scale), alt, scale > 1)

    def _of_classes(self, model: str, row: pd.Series, render: Render, shape: str) -> tuple[Pane, ...]:
        """The attribution of the true class and, where another was named, that of the class that was."""
        thing = words.thing(str(row.get(OBJECT, row["shape"])))
        scene, found = str(row["scene_id"]), []
        found.append(self._overlay(model, scene, render, shape, TRUE, self._of_class(thing)))
        named = self.record.answers(model, scene)[:1]
        if scene in self.maps(model, MISTAKEN) and named and not named[0].is_right:
            said = f"as ‘{named[0].name}’: {self._method()} of that class"
            found.append(self._overlay(model, scene, render, shape, MISTAKEN, said))
        return tuple(found)

    def _of_cells(self, target: str) -> str:
        return f"{self._method()} of {'the false alarms' if target == MISTAKEN else self._of('the true obstacle')}"

    def _of_class(self, thing: str) -> str:
        return f"{self._method()} of {self._of(f'‘{thing}’')}"

    def _of(self, truth: str) -> str:
        """What the maps of the run are of: `truth` unless another target was configured."""
        return truth if self._is_of_truth else words.attributed(words.target(self.record.config), self.record.task)

    @property
    def _is_of_truth(self) -> bool:
        return words.target(self.record.config) == words.TRUTH

    def _method(self) -> str:
        return words.method(self.record.primary_method)

    def _overlay(self, model: str, scene_id: str, render: Render, shape: str, target: str, said: str) -> Pane:
        """The attribution over its scene; `said`: what it attributes, for the line beneath."""
        scale, values = pictures.scale_for(render.rgb.shape, _PICTURE_WIDTH), self.maps(model, target).get(scene_id)
        masks = (render.object, render.shadow)
        if values is None or np.isnan(values).all():
            plain = pictures.outlined(render.rgb, *masks, scale, render.outside)
            why = self._why_no_map(model, scene_id, target)
            alt = f"True masks outlined: {shape}; {why}"
            return Pane(self.assets.save(f"{scene_id}-outline", plain, alt, scale > 1), why)
        stamp = self.stamp(model)
        if target == MISTAKEN and not stamp:
            stamp = "a picture: not judged by interventions"
        drawn, peak = pictures.overlay(render.rgb, values, *masks, scale, stamp, render.outside)
        alt = f"{said} over the scene, true object and cast shadow outlined: {shape}" + (f"; {stamp}" if stamp else "")
        note = f"{said}, peak {peak:.2g}" if peak > 0 else f"{said}: no positive relevance"
        note += "; the store no longer holds its shadow" if np.isnan(render.shadow).all() else ""
        name = "-".join(part for part in (scene_id, model, self.record.primary_method, target) if part)
        return Pane(self.assets.save(name, drawn, alt, scale > 1), note)

    def _why_no_map(self, model: str, scene_id: str, target: str) -> str:
        label, probability = self.record.label(scene_id), self.record.response(model, scene_id)
        if target == TRUE and self._is_of_truth and label is not None and not (label == 1).any():
            if self.record.task == words.CLASSIFICATION:
                return "no attribution: no class is right, so no target"
            return "no attribution: no true obstacle within 30 cm, so no target"
        if target == MISTAKEN and label is not None and probability is not None:
            is_wrong = (probability >= self.record.threshold(model)) & (label == 0)
            return "no map kept" if is_wrong.any() else "no false alarm, so nothing to attribute"
        return "no map kept"

    def _grid(self, model: str, scene_id: str) -> Markup | None:
        probability = self.record.response(model, scene_id)
        if probability is None:
            return None
        return output_grid(self.record.label(scene_id), probability, self.record.threshold(model), self.record.horizon)

    def _named(self, model: str, row: pd.Series) -> str:
        """What a classifier said first of a scene, in words."""
        named = self.record.answers(model, str(row["scene_id"]))[:1]
        if not named:
            return "answer undefined"
        if named[0].is_right:
            return "named right"
        return f"{'taken for' if row.get(PRESENCE, OBJECT) == 'object' else 'named first:'} ‘{named[0].name}’"

    def _alarms(self, model: str, row: pd.Series) -> tuple[str, ...]:
        """What a proximity network does in one scene, in words."""
        share, target = (
            self.record.prediction(model, str(row["cell_id"]), m)[0] for m in ("sensor_alarm", "target_logit")
        )
        alarm = "answer undefined" if np.isnan(share) else "alarm" if share > 0 else "no alarm"
        sensors = "" if np.isnan(share) else f"{round(share * len(words.SENSORS))} of {len(words.SENSORS)} sensors"
        logit = f"target {number(target, percent=False)}" + (" (no obstacle to attribute)" if np.isnan(target) else "")
        return tuple(part for part in (alarm, sensors, logit) if part)

    def _sensors(self, model: str, scene_id: str) -> tuple[str, ...]:
        """Which sensors found something, missed it, or alarmed without cause, within the horizon."""
        label, probability = self.record.label(scene_id), self.record.response(model, scene_id)
        if label is None or probability is None or np.isnan(probability).any():
            return ("answer undefined",)
        events = sensor_events(
            probability[None].astype(np.float64), label[None], self.record.threshold(model), self.record.horizon
        )
        of = {
            "found": events.occupied & ~events.missed,
            "missed": events.missed,
            "false alarm": events.false_alarm,
        }
        told = {
            what: [name for name, yes in zip(words.SENSORS, which[0], strict=True) if yes] for what, which in of.items()
        }
        found = tuple(f"{what}: {', '.join(names)}" for what, names in told.items() if names)
        within = f"within {self.record.horizon} cm"
        return (f"{within}, {found[0]}", *found[1:]) if found else (f"{within}, nothing there and no alarm",)

    def _facts(self, model: str, row: pd.Series, metrics: tuple[str, ...]) -> tuple[str, ...]:
        facts = []
        for name in metrics:
            value, why = self.record.prediction(model, str(row["cell_id"]), name)
            known = words.metric(name)
            shown = number(value, known.percent)
            reason = f" ({words.reason(why, self.record.task)})" if np.isnan(value) else ""
            facts.append(f"{known.title} {shown}{reason}")
        return tuple(facts)

    def _levels(self, row: pd.Series) -> dict[str, str]:
        return {f: str(row[f]) for f in (*self.record.levels, PRESENCE, OBJECT) if f in row}

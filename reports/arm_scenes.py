"""The four arms of chosen scenes, side by side with what the network answers in each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports import words
from reports.numbers import difference
from reports.run_record import RunRecord
from reports.scene_views import Gallery, SceneView

_ARMS = (
    ("object + shadow", {"presence": "object"}),
    ("object alone", {"presence": "object", "cast_shadow": "none"}),
    ("shadow alone", {"presence": "ghost"}),
    ("empty floor", {"presence": "empty"}),
)


@dataclass(frozen=True)
class ArmScene:
    """The arms of one block under one light."""

    heading: str
    views: tuple[SceneView, ...]


def arm_scenes(record: RunRecord, gallery: Gallery, model: str) -> list[ArmScene]:
    """Per light, two near blocks: the one where the shadow alone moves the answer most, and the one in the middle."""
    if not {"ghost", "empty"} <= set(record.presences):
        return []
    response, out = _graded_response(record, model), []
    known = words.metric(response)
    for light in record.levels.get("light", ()):
        effects = [(_shadow_effect(record, model, response, light, b), b) for b in record.blocks_of("near")]
        ranked = sorted((e for e in effects if not math.isnan(e[0])), key=lambda e: e[0])
        if not ranked:
            continue
        largest, middle = ranked[-1], ranked[(len(ranked) - 1) // 2]
        chosen = {largest[1]: (largest[0], "largest effect of the shadow alone")}
        chosen.setdefault(middle[1], (middle[0], "the block in the middle"))
        for block, (effect, why) in chosen.items():
            heading = f"{light} light, block {block}: {why} ({difference(effect, known.percent)} in {known.title})"
            out.append(ArmScene(heading, _views(record, gallery, model, light, block)))
    return out


def _views(record: RunRecord, gallery: Gallery, model: str, light: str, block: str) -> tuple[SceneView, ...]:
    cells = [(title, record.cell({"light": light, **levels}, block)) for title, levels in _ARMS]
    return tuple(gallery.arm(model, cell, title) for title, cell in cells)


def _shadow_effect(record: RunRecord, model: str, response: str, light: str, block: str) -> float:
    """f(ghost) - f(empty) of a block, all else at control."""
    ghost, empty = (record.cell({"light": light, "presence": p}, block) for p in ("ghost", "empty"))
    if ghost is None or empty is None:
        return float("nan")
    f_ghost, f_empty = (record.prediction(model, str(c["cell_id"]), response)[0] for c in (ghost, empty))
    return f_ghost - f_empty


def _graded_response(record: RunRecord, model: str) -> str:
    """The response that tells blocks apart best: the target where the arms have one, else the share of sensors."""
    cells = [record.cell({"presence": "ghost"}, b) for b in record.blocks]
    values = [record.prediction(model, str(c["cell_id"]), "target_logit")[0] for c in cells if c is not None]
    return "target_logit" if any(not math.isnan(v) for v in values) else "sensor_alarm"

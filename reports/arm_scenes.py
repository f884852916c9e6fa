"""The four arms of chosen scenes, side by side with what the network answers in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports import words
from reports.numbers import difference
from reports.run_record import RunRecord
from reports.scene_views import Gallery, SceneView
from scenes.design import PRESENCE

_ARMS = (
    ("object + shadow", {PRESENCE: "object"}),
    ("object alone", {PRESENCE: "object", "cast_shadow": "none"}),
    ("shadow alone", {PRESENCE: "ghost"}),
    ("empty floor", {PRESENCE: "empty"}),
)
_RESPONSES = {  # task -> responses that may tell blocks apart, the most graded first
    "proximity": ("target_logit", "sensor_alarm"),
    words.CLASSIFICATION: ("logit_margin", "target_probability"),
}


@dataclass(frozen=True)
class ArmScene:
    """The arms of one block under one light, or of one pose of an object."""

    heading: str
    views: tuple[SceneView, ...]


def arm_scenes(record: RunRecord, gallery: Gallery, model: str) -> list[ArmScene]:
    """Per light two near blocks, or per object two poses: the one where the shadow alone moves the answer most, and the
    one in the middle."""
    if not {"ghost", "empty"} <= set(record.presences):
        return []
    response, out = _graded_response(record, model), []
    known = words.metric(response)
    for name, light, blocks in _groups(record):
        effects = [(_shadow_effect(record, model, response, light, b), b) for b in blocks]
        ranked = sorted(((abs(e) if record.objects else e, e, b) for e, b in effects if not math.isnan(e)))
        if not ranked:
            continue
        largest, middle = ranked[-1], ranked[(len(ranked) - 1) // 2]
        chosen = {largest[2]: (largest[1], "largest effect of the shadow alone")}
        chosen.setdefault(middle[2], (middle[1], "the block in the middle"))
        for block, (effect, why) in chosen.items():
            heading = f"{name} {words.block(block)}" if name else words.capital(words.block(block))
            heading += f": {why} ({difference(effect, known.percent)} in {known.title})"
            out.append(ArmScene(heading, _views(record, gallery, model, light, block)))
    return out


def _groups(record: RunRecord) -> list[tuple[str, Mapping[str, str], Sequence[str]]]:
    """(name, levels, blocks): the near blocks under each light; the poses of each object, at control."""
    if record.objects:
        return [("", {}, record.blocks_of(thing)) for thing in record.objects]
    near = record.blocks_of("near")
    lights = record.levels.get("light", ())
    return [(f"{light} light,", {"light": light}, near) for light in lights] or [("", {}, near)]


def _views(
    record: RunRecord, gallery: Gallery, model: str, light: Mapping[str, str], block: str
) -> tuple[SceneView, ...]:
    arms = [(title, arm) for title, arm in _ARMS if set(arm) <= {PRESENCE, *record.levels}]
    return tuple(gallery.arm(model, record.cell({**light, **arm}, block), title) for title, arm in arms)


def _shadow_effect(record: RunRecord, model: str, response: str, light: Mapping[str, str], block: str) -> float:
    """f(ghost) - f(empty) of a block, all else at control."""
    ghost, empty = (record.cell({**light, PRESENCE: p}, block) for p in ("ghost", "empty"))
    if ghost is None or empty is None:
        return float("nan")
    f_ghost, f_empty = (record.prediction(model, str(c["cell_id"]), response)[0] for c in (ghost, empty))
    return f_ghost - f_empty


def _graded_response(record: RunRecord, model: str) -> str:
    """The response that tells blocks apart best: a graded one where the arms have it, else a share."""
    best, plain = _RESPONSES.get(record.task, _RESPONSES["proximity"])
    cells = [record.cell({PRESENCE: "ghost"}, b) for b in record.blocks]
    values = [record.prediction(model, str(c["cell_id"]), best)[0] for c in cells if c is not None]
    return best if any(not math.isnan(v) for v in values) else plain

"""Presence: the arms of a scene. What the object and its shadow cause is read from them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.scene_spec import MaterialSpec

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "presence"
CONTROL = "object"
LEVELS = {
    "object": "the object stands there",
    "ghost": "the camera does not see the object, its shadow stays",
    "empty": "neither object nor shadow",
}
_UNSEEN = MaterialSpec(color=(0.5, 0.5, 0.5))  # a ghost's own colour changes nothing: one colour, one render


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "object":
        return spec
    if level == "empty":
        return dataclasses.replace(spec, objects=())
    ghosts = tuple(dataclasses.replace(o, is_visible=False, material=_UNSEEN) for o in spec.objects)
    return dataclasses.replace(spec, objects=ghosts)

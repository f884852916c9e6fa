"""SceneSpec: what it says survives the way to a worker, and its hash is its content."""

from __future__ import annotations

import dataclasses
import json

from closed_form import a_scene, an_object

from scenes.scene_spec import from_plain, to_plain


def test_a_spec_survives_json() -> None:
    spec = a_scene(an_object("sphere"), an_object("box", casts_shadow=False))
    assert from_plain(json.loads(json.dumps(to_plain(spec)))) == spec


def test_the_scene_id_changes_with_any_content() -> None:
    spec = a_scene(an_object())
    changed = [
        dataclasses.replace(spec, samples=5),
        dataclasses.replace(spec, render_seed=8),
        dataclasses.replace(spec, world_strength=0.2),
        dataclasses.replace(spec, objects=()),
        a_scene(an_object(yaw=26.0)),
        dataclasses.replace(spec, camera=dataclasses.replace(spec.camera, clip_start=0.1)),
    ]
    assert len({s.scene_id for s in [spec, *changed]}) == len(changed) + 1


def test_noise_of_arithmetic_is_no_content() -> None:
    assert a_scene(an_object(yaw=0.1 + 0.2)).scene_id == a_scene(an_object(yaw=0.3)).scene_id
    assert a_scene(an_object(yaw=-0.0)).scene_id == a_scene(an_object(yaw=0.0)).scene_id

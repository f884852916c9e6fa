"""The benchmark of rendering measures all ways on the same scenes; what it found is arithmetic on that."""

from __future__ import annotations

import pytest
from closed_form import a_scene, an_object

from scenes.renderer import WorkerSettings
from scenes.speed import STAGES, Speed, measure

SPECS = [a_scene(an_object(yaw=float(y)), samples=2) for y in (400, 401, 402)]


def a_speed(**changes: float) -> Speed:
    fields = {
        "scenes": 3,
        "workers": 1,
        "rate": 10.0,
        "start": 1.0,
        "plain_rate": 5.0,
        "plain_shadow_rate": 4.0,
        "alone_rate": 1.0,
        "sampling": 0.06,
        "denoising": 0.02,
        "rest": 0.02,
        "worker_memory": 1e8,
    }
    return Speed(**{**fields, **changes}, stages=dict.fromkeys(STAGES, 0.02))  # type: ignore[arg-type]


def test_the_share_of_the_rest_is_of_the_whole() -> None:
    assert a_speed().rest_share == pytest.approx(0.2)


@pytest.mark.blender
def test_every_way_of_rendering_is_measured() -> None:
    speed = measure(SPECS, WorkerSettings(count=1), plain=1)
    assert speed.scenes == 3
    assert set(speed.stages) == set(STAGES)
    assert min(speed.rate, speed.plain_rate, speed.plain_shadow_rate, speed.alone_rate) > 0
    assert speed.plain_shadow_rate < speed.plain_rate
    assert speed.alone_rate < speed.plain_rate  # a process each has Blender to load
    assert speed.sampling + speed.denoising + speed.rest == pytest.approx(sum(speed.stages.values()))
    assert 1e8 < speed.worker_memory < 1.5e9

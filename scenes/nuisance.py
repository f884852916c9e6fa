"""What a scene seed drew that factors need: the nuisance all conditions of a block share."""

from __future__ import annotations

from dataclasses import dataclass

from scenes.scene_spec import Vector3


@dataclass(frozen=True)
class Draw:
    stratum: str
    distinct_color: Vector3
    near_color: Vector3
    light_jitter: tuple[float, float]  # degrees of azimuth, elevation

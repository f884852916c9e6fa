"""What a scene seed drew that factors need: the nuisance all conditions of a block share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenes.scene_spec import Vector3


@dataclass(frozen=True)
class Draw:
    """stratum: what the block was drawn for. colors: the object's colour at levels of a colour factor."""

    stratum: str
    colors: Mapping[str, Vector3]
    light_jitter: tuple[float, float]  # degrees of azimuth, elevation
    blocker_turn: float = 0.0  # degrees, how strips outside the frame lie across the light
    blocker_phase: float = 0.0  # [0, 1), how far along

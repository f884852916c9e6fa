"""What a scene seed drew that factors need: the nuisance all conditions of a block share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scenes.design import derive_seed
from scenes.proximity import Robot
from scenes.scene_spec import Vector3


@dataclass(frozen=True)
class Blind:
    """What throws shadows from outside the frame: the size of the set, and how its sun compares with its lamp."""

    away: float = 1.2  # m, from the light's target
    pitch: float = 0.16  # m, a slat and a gap
    reach: float = 8.0  # m that it covers
    sun: float = 2.9  # irradiance of the sun at the target, of what the lamp gave that it replaces
    room: float = 0.25  # strength of the surroundings under that sun, of what it was


@dataclass(frozen=True)
class Draw:
    """stratum: what the block was drawn for. colors: the object's colour at levels of a colour factor.

    seed, block: of the design and of the block, for what a factor draws itself. size: m, about the object's largest
    side: how large what stands beside it, or throws a shadow on it, has to be.
    """

    stratum: str
    colors: Mapping[str, Vector3]
    light_jitter: tuple[float, float]  # degrees of azimuth, elevation
    blocker_turn: float = 0.0  # degrees, how strips outside the frame lie across the light
    blocker_phase: float = 0.0  # [0, 1), how far along
    seed: int = 0
    block: str = "0"
    size: float = 1.0
    color_direction: tuple[float, float] = (0.0, 0.0)  # tabletop: hue in degrees and lift of the colour difference
    floor_color: Vector3 | None = None  # tabletop: what `colors` were found for
    robot: Robot | None = None  # tabletop
    blind: Blind = Blind()
    elevation: float = 0.0  # studio: degrees of the camera above the object's middle
    fill: float = 0.6  # studio: share of the frame the object fills

    def generator(self, purpose: str) -> np.random.Generator:
        """Random numbers for a purpose of this block: the same for all its conditions, whatever else is drawn."""
        return generator(self.seed, self.block, purpose)


def generator(seed: int, block: object, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, block, purpose))

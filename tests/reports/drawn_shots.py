"""Cells of a drawn studio: two objects in four poses, one factor at a time, and what a classifier said of each.

It loses both objects under an odd colour and under slats, and the lemon under light from behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLASSIFIER = "squeezenet1_0"
SIDE = 224  # px
CLASSES = {"lemon": (951, "lemon"), "bucket": (463, "bucket")}
OTHERS = ("tennis ball", "pool table", "croquet ball", "candle", "spotlight", "orange")
FACTORS: Mapping[str, Sequence[str]] = {
    "object_color": ("natural", "unusual"),
    "light": ("key", "back"),
    "outside_shadow": ("none", "unblocked", "slats"),
}
STUDIO_CONTROL = {"object_color": "natural", "light": "key", "outside_shadow": "none"}
POSES = 4


@dataclass(frozen=True)
class Shot:
    """One cell: an object in a pose under a condition, and what the classifier said of it."""

    thing: str
    pose: int
    presence: str
    levels: Mapping[str, str]

    @property
    def block(self) -> str:
        return f"{self.thing}.{self.pose}"

    @property
    def scene_id(self) -> str:
        return hashlib.sha256(
            json.dumps(["studio", self.block, self.presence, *self.levels.items()]).encode()
        ).hexdigest()[:16]

    @property
    def cell_id(self) -> str:
        return hashlib.sha256(f"cell {self.scene_id}".encode()).hexdigest()[:16]

    @property
    def probability(self) -> float:
        """Of the right class: lost under an odd colour and slats; under light from behind by the lemon alone."""
        if self.presence != "object":
            return 0.002
        lost = self.levels["object_color"] == "unusual" or self.levels["outside_shadow"] == "slats"
        lost |= self.levels["light"] == "back" and self.thing == "lemon"
        return 0.08 + 0.01 * self.pose if lost else 0.97 - 0.01 * self.pose

    @property
    def is_right(self) -> bool:
        return self.presence == "object" and self.probability > 0.5

    @property
    def answers(self) -> list[tuple[str, float, bool]]:
        right = (CLASSES[self.thing][1], self.probability, self.presence == "object")
        first = {"back": 1, "key": 0}[self.levels["light"]] + self.pose % 2
        names = [OTHERS[(first + i) % len(OTHERS)] for i in range(5)]
        others = [(name, (0.5 if self.probability < 0.5 else 0.01) / 2**i, False) for i, name in enumerate(names)]
        found = [right, *others] if self.presence == "object" else others
        return sorted(found, key=lambda a: -a[1])[:5]


def shots() -> list[Shot]:
    varied = [{**STUDIO_CONTROL, f: v} for f, levels in FACTORS.items() for v in levels if v != STUDIO_CONTROL[f]]
    conditions = [("object", c) for c in (STUDIO_CONTROL, *varied)]
    conditions += [("ghost", STUDIO_CONTROL), ("empty", STUDIO_CONTROL)]
    return [Shot(o, p, arm, c) for o in CLASSES for p in range(POSES) for arm, c in conditions]


def share(shot: Shot) -> float:
    return 0.6 - 0.2 * (not shot.is_right)

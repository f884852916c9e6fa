"""The proximity task: which of the robot's sensors will meet something after so many centimetres of travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from audit.metrics import sensor_events
from audit.metrics.arrays import Floats, Integers, Mask, Singles
from audit.metrics.cells import CELLS, DISTANCES, SENSORS
from audit.metrics.classification import NO_ANSWERS
from audit.metrics.concordance import auc, auc_table
from scenes import proximity
from scenes.proximity import Robot
from scenes.scene_spec import ObjectSpec, SceneSpec


@dataclass(frozen=True)
class ProximityTask:
    """An audit.models.task.Task. Outputs: index = distance * sensors + sensor, of the robot's `scored` distances."""

    name: ClassVar[str] = "proximity"
    scene_set: ClassVar[str] = "tabletop"
    link: ClassVar[str] = "logit"

    robot: Robot

    @property
    def outputs(self) -> int:
        return self.robot.scored * len(self.robot.sensors)

    def refusal(self, width: int) -> str:
        sensors = len(self.robot.sensors)
        if self.outputs != CELLS:
            found = f"{self.robot.scored} distances x {sensors} sensors"
            return f"a robot of {found}, but scores are defined for {DISTANCES} x {len(SENSORS)}"
        if width < CELLS or width % sensors:
            return f"{width} outputs, not {CELLS} or more in a multiple of {sensors}: index = distance * 5 + sensor"
        return ""

    def label(self, objects: Sequence[ObjectSpec]) -> NDArray[np.int8]:
        return proximity.labels(objects, self.robot)[: self.robot.scored].reshape(-1)

    def in_view(self, spec: SceneSpec) -> Mask:
        return proximity.in_view(spec.camera, self.robot)[: self.robot.scored].reshape(-1)

    def probability(self, logits: Floats) -> Singles:
        sigmoid: Singles = expit(logits.astype(np.float64)).astype(np.float32)
        return sigmoid

    def decisions(self, probability: Floats) -> Integers:
        """(N, K): 1 where a cell is taken for occupied at .5."""
        return (probability >= sensor_events.HALF).astype(np.int8)

    def score(
        self, logits: Floats, probability: Floats, label: Integers, target: Mask, threshold: float
    ) -> pd.DataFrame:
        wide = sensor_events.score(probability, label, threshold, self.robot.horizon, target=target, logits=logits)
        return sensor_events.long(wide)

    def mistaken(self, probability: Floats, label: Integers, threshold: float) -> Mask:
        """Alarms in cells that are known to be free."""
        wrong: Mask = (probability >= threshold) & (label == 0)
        return wrong

    def answers(self, probability: Floats, label: Integers) -> pd.DataFrame:
        return NO_ANSWERS.assign(answer=pd.Series(dtype=str))

    def condition_scores(self, probability: Floats, label: Integers) -> dict[str, float]:
        return {"auc": auc(probability, label)}

    def control_table(self, probability: Floats, label: Integers, in_view: Mask) -> pd.DataFrame:
        return auc_table(probability, label, in_view)

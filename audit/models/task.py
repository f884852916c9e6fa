"""What a network is asked, and how its answers are judged. Outside a task nobody knows how many outputs there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import SCENE_SETS, ModelConfig
from audit.metrics.arrays import Floats, Integers, Mask, Singles
from audit.models.errors import ModelError, nearest
from scenes.proximity import Robot
from scenes.scene_spec import ObjectSpec, SceneSpec


class Task(Protocol):
    """A task. N: scenes, K: its outputs; labels are 1, 0 and -1 = unknown, probabilities lie in [0, 1]."""

    @property
    def name(self) -> str:
        """'proximity' or 'classification'."""

    @property
    def scene_set(self) -> str:
        """'tabletop' or 'studio': what its networks are shown."""

    @property
    def outputs(self) -> int:
        """K: the first K outputs of a network are scored (155; 1000)."""

    @property
    def link(self) -> str:
        """'logit' or 'log': what undoes `probability`, for networks that return probabilities."""

    def refusal(self, width: int) -> str:
        """Why a network with `width` outputs cannot answer this task, to be read after its name; '' where it can."""

    def label(self, objects: Sequence[ObjectSpec]) -> NDArray[np.int8]:
        """(K,) in {1, 0, -1}: what is true of a scene with these objects. Ghosts (is_visible False) are not there."""

    def in_view(self, spec: SceneSpec) -> Mask:
        """(K,) bool: what each output speaks of can be seen in the picture."""

    def probability(self, logits: Floats) -> Singles:
        """(N, K) float32 of logits (N, K), computed in double precision."""

    def decisions(self, probability: Floats) -> Integers:
        """(N, D): what a network decides with these probabilities (N, K), to be compared between two readings."""

    def score(
        self, logits: Floats, probability: Floats, label: Integers, target: Mask, threshold: float
    ) -> pd.DataFrame:
        """Every metric of every scene, long: columns row, metric, value, undefined_reason.

        logits, probability, label: (N, K). target (N, K) bool: the outputs of the block's own object, the same in all
        arms, also where the label is all 0 because the object was taken away. threshold: the operating point.
        """

    def mistaken(self, probability: Floats, label: Integers, threshold: float) -> Mask:
        """(N, K): what was answered although it is not true. Alarms in cells known to be free; a wrong top class.

        With a label of zeros it is what was answered, whether true or not.
        """

    def answers(self, probability: Floats, label: Integers) -> pd.DataFrame:
        """The five likeliest classes of every scene, columns row, rank (1..5), output, answer (the class's name),
        probability, is_right; no rows for proximity.
        """

    def condition_scores(self, probability: Floats, label: Integers) -> dict[str, float]:
        """Scores that several scenes have together: {'auc': ...}; {} for classification."""

    def control_table(self, probability: Floats, label: Integers, in_view: Mask) -> pd.DataFrame:
        """Rows of audit.tables.AUC without model and factors; no rows for classification."""


def task_of(config: ModelConfig, robot: Robot, classes: Mapping[str, Sequence[int]]) -> Task:
    """The task that `config` names.

    classes: object -> the ImageNet indices that count as right, for classification. Raises ModelError for an unknown
    task.
    """
    # each task only where it is asked for: class names come from torchvision, which takes seconds to load
    if config.task == "proximity":
        from audit.models.proximity_task import ProximityTask

        return ProximityTask(robot)
    if config.task == "classification":
        from audit.models.classification_task import ClassificationTask

        return ClassificationTask({thing: tuple(indices) for thing, indices in classes.items()})
    raise ModelError(f"model {config.name}: task={config.task} is unknown: {nearest(config.task, SCENE_SETS)}")

"""The classification task: which of ImageNet's thousand classes is in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from audit.metrics import classification
from audit.metrics.arrays import Floats, Integers, Mask, Singles
from audit.metrics.scores import long
from audit.models.errors import ModelError, nearest
from audit.models.imagenet import class_index, class_names
from audit.tables import AUC
from scenes.scene_spec import ObjectSpec, SceneSpec

CLASSES = 1000


@dataclass(frozen=True)
class ClassificationTask:
    """An audit.models.task.Task. Outputs: the classes of ImageNet-1k, one of them the answer.

    classes: object, by the name of its shape -> indices that count as right for it.
    """

    name: ClassVar[str] = "classification"
    scene_set: ClassVar[str] = "studio"
    link: ClassVar[str] = "log"
    outputs: ClassVar[int] = CLASSES

    classes: Mapping[str, tuple[int, ...]]

    def refusal(self, width: int) -> str:
        return "" if width == CLASSES else f"{width} outputs, not {CLASSES}: one for each class of ImageNet-1k"

    def label(self, objects: Sequence[ObjectSpec]) -> NDArray[np.int8]:
        """1 for every accepted class of every visible object; things that have no class say nothing."""
        label = np.zeros(CLASSES, dtype=np.int8)
        for thing in objects:
            if thing.is_visible:
                label[list(self.classes.get(thing.shape, ()))] = 1
        return label

    def in_view(self, spec: SceneSpec) -> Mask:
        return np.ones(CLASSES, dtype=bool)

    def probability(self, logits: Floats) -> Singles:
        shares: Singles = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
        return shares

    def decisions(self, probability: Floats) -> Integers:
        """(N, 1): the top class, of equally likely ones that with the lowest index."""
        return probability.argmax(axis=1)[:, None]

    def score(
        self, logits: Floats, probability: Floats, label: Integers, target: Mask, threshold: float
    ) -> pd.DataFrame:
        return long(classification.score(logits, probability, label, target))

    def mistaken(self, probability: Floats, label: Integers, threshold: float) -> Mask:
        """The top class where it is not right."""
        return classification.mistaken(probability, label)

    def answers(self, probability: Floats, label: Integers) -> pd.DataFrame:
        found, names = classification.answers(probability, label), class_names()
        return found.assign(answer=[names[output] for output in found["output"]])

    def condition_scores(self, probability: Floats, label: Integers) -> dict[str, float]:
        return {}

    def control_table(self, probability: Floats, label: Integers, in_view: Mask) -> pd.DataFrame:
        return AUC.empty().drop(columns="model")


def classes_of(
    given: Mapping[str, Sequence[object]], objects: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Object -> ImageNet indices that count as right: those it declares, or those `given` by name or index.

    Raises ModelError, which names the setting: unknown object, class name or index; a name that two classes share; no
    class.
    """
    found = dict(objects)
    for thing, texts in given.items():
        setting = f"design.classes.{thing}"
        if thing not in objects:
            raise ModelError(f"{setting}: there is no such object; {nearest(thing, objects)}")
        found[thing] = classes_named(setting, texts)
    return found


def classes_named(setting: str, texts: Sequence[object]) -> tuple[int, ...]:
    """The ImageNet indices of classes given by name or index. Raises ModelError, which names the setting."""
    if not texts:
        raise ModelError(f"{setting}=[]: at least one class has to count as right")
    try:
        return tuple(dict.fromkeys(class_index(str(text)) for text in texts))
    except ModelError as error:
        raise ModelError(f"{setting}: {error}") from None

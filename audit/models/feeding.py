"""The same network, fed otherwise: what could have been meant in place of the configured preprocessing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.metrics.arrays import Doubles, Floats
from audit.models.adapter import Adapter
from audit.models.preprocessing import RESIZE, Preprocessing
from audit.models.task import Task

KINDS = ("channels", "resize", "normalisation")
Three = tuple[float, float, float]

# name -> mean and std over red, green, blue, as the libraries have them; the network's order may be the reverse
FIXED: Mapping[str, tuple[Three, Three]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class Feeding:
    """One way to feed a network. name: 'channels=bgr'; kind: channels, resize, normalisation; setting: what would have
    to be configured for it, to be pasted after `run`, separated by spaces."""

    name: str
    kind: str
    setting: str
    preprocessing: Preprocessing


def fed(adapter: Adapter, preprocessing: Preprocessing) -> Adapter:
    """The same network, fed by another preprocessing."""
    return dataclasses.replace(adapter, preprocessing=preprocessing)


def other_order(channels: str) -> str:
    return "rgb" if channels == "bgr" else "bgr"


def swapped(preprocessing: Preprocessing) -> Preprocessing:
    """Red and blue exchanged; mean and std stay as they are, being in the network's order."""
    return dataclasses.replace(preprocessing, channels=other_order(preprocessing.channels))


def flipped(task: Task, before: Floats, after: Floats) -> Doubles:
    """(N,) share of the decisions that differ between two readings, probabilities (N, K) each."""
    share: Doubles = (task.decisions(before) != task.decisions(after)).mean(axis=1)
    return share


def feedings(configured: Preprocessing) -> list[Feeding]:
    """Every single change: the other channel order, the other resize kernels, the other usual normalisations."""
    other = other_order(configured.channels)
    found = [Feeding(f"channels={other}", "channels", f"preprocessing.channels={other}", swapped(configured))]
    for kernel in RESIZE:
        if kernel != configured.resize:
            changed = dataclasses.replace(configured, resize=kernel)
            found.append(Feeding(f"resize={kernel}", "resize", f"preprocessing.resize={kernel}", changed))
    return found + _normalisations(configured)


def together(configured: Preprocessing, changes: Sequence[Feeding]) -> Feeding:
    """Single changes of different kinds at once; of a fixed normalisation mean and std follow the channels.

    What an earlier change has made already is no change any more: with the channels turned round, mean and std may be
    ImageNet's own.
    """
    made = configured
    settings: list[str] = []
    for change in sorted(changes, key=lambda c: KINDS.index(c.kind)):
        if (found := {f.name: f for f in feedings(made)}.get(change.name)) is not None:
            made, settings = found.preprocessing, [*settings, found.setting]
    return Feeding(" ".join(c.name for c in changes), "together", " ".join(settings), made)


def _normalisations(configured: Preprocessing) -> list[Feeding]:
    found = []
    if configured.normalisation != "per_image":
        changed = dataclasses.replace(configured, normalisation="per_image")
        setting = "preprocessing.normalisation=per_image"
        found.append(Feeding("normalisation=per_image", "normalisation", setting, changed))
    for name, values in FIXED.items():
        mean, std = (v[::-1] if configured.channels == "bgr" else v for v in values)
        changed = dataclasses.replace(configured, normalisation="fixed", mean=mean, std=std)
        if changed != configured:
            texts = (f"preprocessing.{k}=[{','.join(f'{v:g}' for v in w)}]" for k, w in (("mean", mean), ("std", std)))
            setting = " ".join(("preprocessing.normalisation=fixed", *texts))
            found.append(Feeding(f"normalisation={name}", "normalisation", setting, changed))
    return found

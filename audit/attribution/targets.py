"""Targets: the scalar of a network's answer that is attributed, for classifiers and regressors alike.

A target is bound to pictures by the network's own answer to them: 'the predicted class' is decided once, on the picture
as it is, and stays that class while the picture is covered, blurred or noised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from audit.metrics.arrays import Mask
from audit.metrics.cells import DISTANCES, SENSORS
from audit.models.errors import ModelError, nearest

Scalar = Callable[[torch.Tensor], torch.Tensor]
"""Logits (B, K) to one number a row, (B,): differentiable, rows apart."""

Target = Callable[[torch.Tensor, Sequence[int]], Scalar]
"""Logits (B, K) of the pictures as they are, without gradient, and their numbers, to what is attributed of them."""


TRUTH = "truth"  # what is true of each scene: a mask of outputs per picture, not one target for all

_OF_TASK = {"class": "classification"} | dict.fromkeys(("sensor", "distance", "cell"), "proximity")


class TargetError(ModelError):
    """A target that the network's answer does not have. The message names those it has."""


def outputs_where(mask: Mask) -> Target:
    """The sum of the logits where `mask` (N, K) is True, a row of it per picture."""
    chosen = torch.from_numpy(mask)

    def bind(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
        return _sum_where(chosen[list(rows)].to(logits.device))

    return bind


def all_outputs(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
    """The sum of all outputs."""
    return _sum_where(torch.ones_like(logits, dtype=torch.bool))


def predicted(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
    """The largest output of each picture."""
    return _ranked(logits, 0)


def runner_up(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
    """The second largest output of each picture."""
    if logits.shape[1] < 2:
        raise TargetError("target runner_up: the network has a single output")
    return _ranked(logits, 1)


def output(index: int) -> Target:
    """One output: a class, or a cell by its index distance * 5 + sensor."""

    def bind(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
        if not 0 <= index < logits.shape[1]:
            raise TargetError(f"target output:{index}: the network has outputs 0 to {logits.shape[1] - 1}")
        return lambda answer: answer[:, index]

    return bind


def sensor(name: str) -> Target:
    """The sum of one proximity sensor's logits over all scored distances."""
    return _cells([d * len(SENSORS) + _sensor(name) for d in range(DISTANCES)], f"sensor:{name}")


def distance(centimetres: int) -> Target:
    """The sum of the five sensors' logits at one distance of travel."""
    first = _distance(centimetres) * len(SENSORS)
    return _cells(range(first, first + len(SENSORS)), f"distance:{centimetres}")


def cell(centimetres: int, name: str) -> Target:
    """The logit of one sensor at one distance of travel."""
    return _cells([_distance(centimetres) * len(SENSORS) + _sensor(name)], f"cell:{centimetres}/{name}")


def of_callable(scalar: Scalar) -> Target:
    """Any function of the logits (B, K) to (B,), such as a margin or a distance from a threshold."""

    def bind(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
        found = scalar(logits)
        if found.shape != logits.shape[:1]:
            raise TargetError(f"target: the callable gives {tuple(found.shape)} for {len(logits)} pictures, not (B,)")
        return scalar

    return bind


def named(text: str, task: str = "") -> Target:
    """A target by its name in a configuration.

    predicted, runner_up, sum, output:INDEX; of a classifier class:NAME; of a proximity network sensor:NAME,
    distance:CENTIMETRES, cell:CENTIMETRES/NAME. task: 'classification' or 'proximity' refuses what the other one has;
    '' takes any. Raises TargetError for any other name.
    """
    kind, _, of = text.partition(":")
    plain: dict[str, Target] = {"predicted": predicted, "runner_up": runner_up, "sum": all_outputs}
    if kind in plain and not of:
        return plain[kind]
    if kind == "output":
        return output(_number(text, of))
    if (owner := _OF_TASK.get(kind)) and task and owner != task:
        raise TargetError(f"target {text}: the network is asked for {task}, and has no {kind}")
    if kind == "class":
        return output(_class(text, of))
    if kind == "sensor":
        return sensor(of)
    if kind == "distance":
        return distance(_number(text, of))
    if kind == "cell":
        centimetres, _, name = of.partition("/")
        return cell(_number(text, centimetres), name)
    known = ["truth", *plain, "output:INDEX", "class:NAME"]
    known += ["sensor:NAME", "distance:CENTIMETRES", "cell:CENTIMETRES/NAME"]
    raise TargetError(f"target {text} is unknown: {nearest(text, known)}")


def check(text: str, task: str, outputs: int) -> None:
    """Raise TargetError where a network of this task with so many outputs has no such target; 'truth' they all have."""
    if text != TRUTH:
        named(text, task)(torch.zeros((1, outputs)), [0])


def _class(text: str, name: str) -> int:
    from audit.models.imagenet import class_index  # here, because it takes seconds to load

    try:
        return class_index(name)
    except ModelError as error:
        raise TargetError(f"target {text}: {error}") from None


def _sum_where(chosen: torch.Tensor) -> Scalar:
    # selected, not multiplied: an infinite logit outside the choice must not turn the sum into NaN
    return lambda answer: torch.where(chosen, answer, 0.0).sum(dim=1)


def _ranked(logits: torch.Tensor, rank: int) -> Scalar:
    """The output that has this rank on the picture as it is; of equal ones that with the lower index comes first."""
    # a NaN answer has no ranks; any index does, since all that follows from it is NaN as well
    index = torch.argsort(torch.nan_to_num(logits), dim=1, descending=True, stable=True)[:, [rank]]
    return lambda answer: answer.gather(1, index)[:, 0]


def _cells(indices: Sequence[int], name: str) -> Target:
    wanted = list(indices)

    def bind(logits: torch.Tensor, rows: Sequence[int]) -> Scalar:
        if max(wanted) >= logits.shape[1]:
            raise TargetError(f"target {name}: the network has {logits.shape[1]} outputs, and so no such cell")
        return lambda answer: answer[:, wanted].sum(dim=1)

    return bind


def _sensor(name: str) -> int:
    if name not in SENSORS:
        raise TargetError(f"target: there is no sensor {name}: {nearest(name, SENSORS)}")
    return SENSORS.index(name)


def _distance(centimetres: int) -> int:
    if not 0 <= centimetres < DISTANCES:
        raise TargetError(f"target: distance {centimetres} is not scored: 0 to {DISTANCES - 1} cm are")
    return centimetres


def _number(text: str, number: str) -> int:
    if not number.isdigit():
        raise TargetError(f"target {text}: {number or 'nothing'} is no whole number")
    return int(number)

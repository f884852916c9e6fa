"""Planted faults: what is done to a checkpoint, or to how it is fed, so that a comparison has something to find.

All work on the weights of a network that is loaded already, whatever file they came from. Where a network has not got
what a fault is about, NotMade says so.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from audit.config import DesignConfig, PreprocessingConfig
from audit.metrics.cells import SENSORS
from audit.models.adapter import Adapter, network

State = dict[str, torch.Tensor]

NOISE = 0.5  # standard deviation of what is added, of that of the weights of each tensor
DEAD = -20.0  # logit of an output that never answers
MIDDLE, UNIT = (0.5, 0.25), (0.0, 1.0)  # mean and std of a fixed normalisation, the same of all channels
WARM = "warm"  # level of light_color: a lamp of 2700 K
_SEED = 20190827


class NotMade(ValueError):
    """A network that has not got what a fault is about, to be read after the fault's name."""


def weights_of(adapter: Adapter) -> State:
    """The network's own weights and buffers, copied to the CPU."""
    return {k: v.detach().cpu().clone() for k, v in network(adapter.module).state_dict().items()}


def save(state: State, adapter: Adapter, path: Path) -> str:
    """Write a checkpoint with the original's card beside it, so that threshold and recipe stay; returns its name."""
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, path)
    if adapter.checkpoint.card:
        path.with_suffix(".json").write_text(json.dumps(dict(adapter.checkpoint.card), default=str), "utf-8")
    return str(path)


def with_noise(adapter: Adapter, amount: float = NOISE) -> State:
    """Gaussian noise on every parameter, `amount` times the standard deviation of its tensor."""
    state, draw = weights_of(adapter), torch.Generator().manual_seed(_SEED)
    for name, parameter in network(adapter.module).named_parameters():
        if parameter.numel() > 1 and parameter.is_floating_point():
            values = state[name]
            state[name] = values + amount * values.std() * torch.randn(values.shape, generator=draw)
    return state


def with_swapped_channels(adapter: Adapter) -> State:
    """The first convolution reads blue where it read red: the network now wants the other channel order."""
    state = weights_of(adapter)
    for name, module in network(adapter.module).named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and module.groups == 1:
            key = f"{name}.weight" if name else "weight"
            state[key] = state[key].flip(1).contiguous()
            return state
    raise NotMade("no convolution reads the picture's three channels")


def with_dead_place(adapter: Adapter, place: str, others: Sequence[str]) -> State:
    """All outputs of one sensor, or the classes of one object, far below zero whatever is shown."""
    state = weights_of(adapter)
    layers = {
        name: module
        for name, module in network(adapter.module).named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and not adapter.task.refusal(module.weight.shape[0])
    }
    if not layers:
        raise NotMade("no layer has an output for each answer")
    name, layer = list(layers.items())[-1]
    if layer.bias is None:
        raise NotMade(f"its last layer, {name}, has no bias")
    rows = _outputs_of(adapter, place, others, layer.weight.shape[0])
    prefix = f"{name}." if name else ""
    state[f"{prefix}weight"][rows] = 0.0
    state[f"{prefix}bias"][rows] = DEAD
    return state


def shifted(preprocessing: PreprocessingConfig) -> PreprocessingConfig:
    """Another normalisation: per picture becomes fixed, fixed becomes none, none becomes fixed around the middle."""
    is_plain = preprocessing.normalisation == "fixed" and (set(preprocessing.mean), set(preprocessing.std)) == (
        {UNIT[0]},
        {UNIT[1]},
    )
    mean, std = MIDDLE if is_plain or preprocessing.normalisation != "fixed" else UNIT
    return dataclasses.replace(preprocessing, normalisation="fixed", mean=[mean] * 3, std=[std] * 3)


def under_a_warm_lamp(design: DesignConfig) -> DesignConfig:
    """The same conditions lit by an incandescent lamp, without arms."""
    factors = {**design.factors, "light_color": [WARM]}
    return dataclasses.replace(
        design, factors=factors, control={**design.control, "light_color": WARM}, arms=False, keep={}
    )


def _outputs_of(adapter: Adapter, place: str, others: Sequence[str], width: int) -> list[int]:
    """The outputs that answer for a sensor, or for an object and no other."""
    from audit.models.classification_task import ClassificationTask  # here, since class names take a second to load

    if not isinstance(adapter.task, ClassificationTask):
        return list(range(SENSORS.index(place), width, len(SENSORS)))
    classes = adapter.task.classes
    taken = {i for other in others for i in classes.get(other, ())}
    if not (own := [i for i in classes.get(place, ()) if i not in taken]):
        raise NotMade(f"every class of {place} counts for another object too")
    return own

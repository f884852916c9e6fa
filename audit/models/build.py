"""From a model's configuration to an adapter that has been asked one question and answered it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from audit.config import ModelConfig
from audit.models import torchvision_models, torchvision_weights
from audit.models.adapter import Adapter, LogitsOfProbabilities
from audit.models.checkpoint import (
    Checkpoint,
    load_weights,
    read_checkpoint,
    refuse_non_finite,
    without_checkpoint,
)
from audit.models.device import pick_device
from audit.models.errors import ModelError, nearest
from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout
from audit.models.preprocessing import Preprocessing
from audit.models.probe import probed_layer
from audit.models.proximity_cnn import ProximityCNN
from audit.models.task import Task
from audit.models.user_module import called, user_module, working_folder_importable

ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = {"proximity_cnn": ProximityCNN}
OUTPUTS = ("logits", "probabilities")

Fresh = Callable[[], nn.Module]


def build_adapter(config: ModelConfig, device: str, task: Task) -> Adapter:
    """The network that `config` describes, loaded, checked, on `device` (as pick_device takes it), for `task`.

    Raises ModelError, one line with the remedy: unknown architecture, layer or preprocessing; checkpoint missing,
    truncated, unfit, with NaN weights or a pickled module; a module that does not answer the task. Published weights
    that are neither here nor can be fetched: WeightsUnavailable; a network never runs on random ones instead.
    """
    place = pick_device(device)
    preprocessing = Preprocessing.from_config(config.preprocessing)
    if config.outputs not in OUTPUTS:
        raise ModelError(f"model {config.name}: outputs={config.outputs}: {nearest(config.outputs, OUTPUTS)}")
    with working_folder_importable():  # also around the probe: some modules import on their first call
        module, checkpoint, fresh = _loaded(config)
        module = module.to(device=place, dtype=torch.float32).eval()
        layer = config.target_layer or _own_target_layer(module) or torchvision_models.target_layer(config.architecture)
        layout = _declared_layout(config.architecture, layer)
        found = probed_layer(module, layer, layout, config.outputs, preprocessing, place, task, f"model {config.name}")
    return Adapter(
        name=config.name,
        task=task,
        architecture=config.architecture,
        module=LogitsOfProbabilities(module, task.link).eval() if config.outputs == "probabilities" else module,
        preprocessing=preprocessing,
        target_layer=found.path,
        grid=found.grid,
        checkpoint=checkpoint,
        threshold=_threshold(config, checkpoint),
        recipe=_recipe(config, checkpoint),
        device=place,
        layout=found.layout,
        fresh=fresh,
        layer_is_guess=found.is_guess,
    )


def _loaded(config: ModelConfig) -> tuple[nn.Module, Checkpoint, Fresh | None]:
    built_in = ARCHITECTURES.get(config.architecture)
    of_torchvision = built_in is None and torchvision_models.is_known(config.architecture)
    if built_in is None and not of_torchvision and "." not in config.architecture:
        raise torchvision_models.unknown(config.architecture, ARCHITECTURES)
    if config.checkpoint is None:
        if built_in is not None or of_torchvision:
            raise ModelError(f"model {config.name}: {config.architecture} needs a checkpoint")
        module = user_module(config.architecture, config.arguments)
        refuse_non_finite(module.state_dict(), f"model {config.name}")
        return module, without_checkpoint(module), None
    if of_torchvision:
        return _of_torchvision(config, config.checkpoint)
    if config.checkpoint.startswith(torchvision_weights.PREFIX):
        raise ModelError(f"checkpoint={config.checkpoint} goes with an architecture of torchvision's own names alone")
    checkpoint, state = read_checkpoint(config.checkpoint)
    if built_in is None:
        module = user_module(config.architecture, config.arguments)
    else:
        module = called(built_in, config.architecture, {**_outputs_of(state), **config.arguments})
    load_weights(module, state, f"checkpoint {checkpoint.file}")
    return module, checkpoint, None


def _of_torchvision(config: ModelConfig, name: str) -> tuple[nn.Module, Checkpoint, Fresh]:
    """A file that holds published weights is known by its digest and treated as those, wherever it lies."""
    if name.startswith(torchvision_weights.PREFIX):
        weights = torchvision_weights.entry(config.architecture, name.removeprefix(torchvision_weights.PREFIX))
        checkpoint, state = read_checkpoint(str(torchvision_weights.fetched(weights, config.name)))
    else:
        checkpoint, state = read_checkpoint(name)
        weights = torchvision_weights.recognised(config.architecture, checkpoint.sha256)
    if weights is not None and not checkpoint.card:
        checkpoint = dataclasses.replace(checkpoint, card=torchvision_weights.card(weights))
    fresh = partial(torchvision_models.built, config.architecture, config.arguments, weights)
    module = fresh()
    load_weights(module, torchvision_models.fitted(config.architecture, state), f"checkpoint {checkpoint.file}")
    return module, checkpoint, fresh


def _outputs_of(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """How many outputs a proximity checkpoint has: the public ones have 325, of which the first 155 are used."""
    bias = state.get("decoder.3.bias")
    return {"outputs": int(bias.shape[0])} if bias is not None and bias.ndim == 1 else {}


def _own_target_layer(module: nn.Module) -> str:
    """A network may name its own target layer in an attribute."""
    layer = getattr(module, "target_layer", "")
    return layer if isinstance(layer, str) else ""


def _declared_layout(architecture: str, layer: str) -> LayerLayout | None:
    """None where nobody declared it: of a layer that a user named in a network of their own, or that is guessed."""
    if architecture in ARCHITECTURES:
        return CHANNELS_FIRST
    return torchvision_models.layout(architecture, layer) if torchvision_models.is_known(architecture) else None


def _threshold(config: ModelConfig, checkpoint: Checkpoint) -> float:
    declared = config.threshold if config.threshold is not None else checkpoint.card.get("threshold", 0.5)
    threshold = float(0.5 if declared is None else declared)
    if not 0 <= threshold <= 1:
        raise ModelError(f"model {config.name}: threshold={threshold} is no probability")
    return threshold


def _recipe(config: ModelConfig, checkpoint: Checkpoint) -> dict[str, tuple[str, ...]] | None:
    declared = config.recipe if config.recipe is not None else checkpoint.card.get("recipe")
    return None if declared is None else {factor: tuple(levels) for factor, levels in declared.items()}

"""The untrained null: the same network with weights that know nothing (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn

from audit.models.adapter import Adapter, LogitsOfProbabilities
from audit.models.checkpoint import without_checkpoint


def randomised(adapter: Adapter, seed: int) -> Adapter:
    """A copy of `adapter` whose weights are drawn anew from `seed`; the original and the global generator stay as
    they are.

    A network that can be made anew is (adapter.fresh): some have an initialisation of their own, without which their
    outputs would be dead. Of any other, layers that know how (reset_parameters) are initialised as before training;
    loose parameters keep their values in a random order, which keeps their scale. Drawn on the CPU, so every device
    gets the same weights.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # the CPU generator alone, which fork_rng puts back
        module = _redrawn(adapter.module) if adapter.fresh is None else _in_place_of(adapter.module, adapter.fresh())
    module = module.to(device=adapter.device, dtype=torch.float32).eval()
    return dataclasses.replace(adapter, module=module, checkpoint=without_checkpoint(module))


def _redrawn(module: nn.Module) -> nn.Module:
    copied = copy.deepcopy(module).to("cpu")
    for part in copied.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            _shuffle_own_parameters(part)
    return copied


def _in_place_of(module: nn.Module, fresh: nn.Module) -> nn.Module:
    """`fresh`, read as `module` reads its network."""
    return LogitsOfProbabilities(fresh, module.link) if isinstance(module, LogitsOfProbabilities) else fresh


def _shuffle_own_parameters(part: nn.Module) -> None:
    for parameter in part.parameters(recurse=False):
        order = torch.randperm(parameter.numel())
        parameter.copy_(parameter.flatten()[order].view_as(parameter))

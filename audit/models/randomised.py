"""The untrained null: the same network with weights that know nothing (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn

from audit.models.adapter import Adapter
from audit.models.checkpoint import without_checkpoint


def randomised(adapter: Adapter, seed: int) -> Adapter:
    """A copy of `adapter` whose weights are drawn anew from `seed`; the original and the global generator stay as
    they are.

    Layers that know how (reset_parameters) are initialised as before training; loose parameters keep their values in
    a random order, which keeps their scale. Drawn on the CPU, so every device gets the same weights.
    """
    module = copy.deepcopy(adapter.module).to("cpu")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # the CPU generator alone, which fork_rng puts back
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
            else:
                _shuffle_own_parameters(part)
    module = module.to(adapter.device).eval()
    return dataclasses.replace(adapter, module=module, checkpoint=without_checkpoint(module))


def _shuffle_own_parameters(part: nn.Module) -> None:
    for parameter in part.parameters(recurse=False):
        order = torch.randperm(parameter.numel())
        parameter.copy_(parameter.flatten()[order].view_as(parameter))

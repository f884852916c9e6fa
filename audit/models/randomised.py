"""The untrained null, whole or in part: the same network with weights that know nothing (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from audit.models.adapter import Adapter, LogitsOfProbabilities, network
from audit.models.checkpoint import Checkpoint, without_checkpoint
from audit.models.device import repeatable_arithmetic
from audit.models.frozen import frozen


def randomised(adapter: Adapter, seed: int) -> Adapter:
    """A copy of `adapter` whose weights are drawn anew from `seed`; the original and the global generator stay as
    they are."""
    module = drawn_anew(adapter, seed)
    return dataclasses.replace(adapter, module=module, checkpoint=without_checkpoint(module))


def drawn_anew(adapter: Adapter, seed: int) -> nn.Module:
    """The module of `adapter`, its weights drawn anew from `seed`, on its device and in evaluation mode.

    A network that can be made anew is (adapter.fresh): some have an initialisation of their own, without which their
    outputs would be dead. Of any other, layers that know how (reset_parameters) are initialised as before training;
    loose parameters keep their values in a random order, which keeps their scale. Drawn on the CPU, so every device
    gets the same weights. The global generator stays as it is.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # the CPU generator alone, which fork_rng puts back
        module = _redrawn(adapter.module) if adapter.fresh is None else _in_place_of(adapter.module, adapter.fresh())
    return module.to(device=adapter.device, dtype=torch.float32).eval()


def twin_of(adapter: Adapter) -> Adapter:
    """A copy of `adapter` whose layers may be overwritten; it has no checkpoint's name."""
    return dataclasses.replace(adapter, module=_copied(adapter.module), checkpoint=Checkpoint("", ""))


@contextmanager
def layers_from(drawn: nn.Module, twin: Adapter, layers: Collection[str]) -> Iterator[Adapter]:
    """`twin` with the parameters and buffers of `drawn` in the layers named, while the context lasts.

    drawn: as `drawn_anew` made it. layers: names as `layers_in_order` has them; of all of them it answers as `drawn`.
    """
    parts, source = dict(network(twin.module).named_modules()), dict(network(drawn).named_modules())
    pairs = [pair for name in layers for pair in zip(_own(parts[name]), _own(source[name]), strict=True)]
    before = [own.clone() for own, _ in pairs]
    with torch.no_grad():
        for own, values in pairs:
            own.copy_(values)
    try:
        yield twin
    finally:
        with torch.no_grad():
            for (own, _), values in zip(pairs, before, strict=True):
                own.copy_(values)


def layers_in_order(adapter: Adapter) -> tuple[str, ...]:
    """The names of the modules that hold parameters themselves, in the order in which they run, first the one at the
    picture; found by one forward pass. '' is the network itself, where it has loose ones.

    What runs more than once stands where it last does: from the output it is reached there. What never runs itself,
    since the module around it reads its weights, stands beside that one.
    """
    inside = network(adapter.module)
    side = adapter.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (side.height, side.width, 3), dtype=np.uint8)
    with frozen(adapter.module), torch.no_grad(), repeatable_arithmetic(), _calls(inside) as called:
        adapter.module(adapter.preprocessing.apply([noise], adapter.device))
    last = {name: place for place, name in enumerate(called)}
    named = [name for name, part in inside.named_modules() if next(_own(part), None) is not None]
    order = sorted(range(len(named)), key=lambda i: (_place(named[i], last), i))
    return tuple(named[i] for i in order)


def steps_from_output(layers: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """`layers`, given in the order in which they run, in at most `count` steps of nearly as many layers each, the step
    at the output first; within a step they stand from the output on, too."""
    reverse = tuple(reversed(layers))
    steps = min(count, len(reverse))
    ends = [round(i * len(reverse) / steps) for i in range(steps + 1)] if steps else []
    return [reverse[a:b] for a, b in itertools.pairwise(ends)]


@contextmanager
def _calls(module: nn.Module) -> Iterator[list[str]]:
    """The names of the modules in `module` as they begin to run while the context lasts; the hooks come off again."""
    called: list[str] = []

    def noting(name: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return part.register_forward_pre_hook(lambda _module, _inputs: called.append(name))

    handles = [noting(name, part) for name, part in module.named_modules()]
    try:
        yield called
    finally:
        for handle in handles:
            handle.remove()


def _place(name: str, last: Mapping[str, int]) -> int:
    """When a module last began to run, or else the nearest one around it that did."""
    while name and name not in last:
        name = name.rpartition(".")[0]
    return last.get(name, 0)


def _own(part: nn.Module) -> Iterator[torch.Tensor]:
    yield from part.parameters(recurse=False)
    yield from part.buffers(recurse=False)


def _redrawn(module: nn.Module) -> nn.Module:
    copied = _copied(module).to("cpu")
    for part in copied.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            _shuffle_own_parameters(part)
    return copied


def _copied(module: nn.Module) -> nn.Module:
    """A copy. What a module keeps of its last pass, such as an activation, is copied by its values alone: torch copies
    no tensor that it has recorded the making of."""
    memo = {id(kept): kept.detach().clone() for part in module.modules() for kept in _kept(part) if not kept.is_leaf}
    return copy.deepcopy(module, memo)


def _kept(part: nn.Module) -> Iterator[torch.Tensor]:
    """The tensors among the attributes of a module, also those in a list, tuple or dict there."""
    for value in vars(part).values():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
        yield from (one for one in inside if isinstance(one, torch.Tensor))


def _in_place_of(module: nn.Module, fresh: nn.Module) -> nn.Module:
    """`fresh`, read as `module` reads its network."""
    return LogitsOfProbabilities(fresh, module.link) if isinstance(module, LogitsOfProbabilities) else fresh


def _shuffle_own_parameters(part: nn.Module) -> None:
    for parameter in part.parameters(recurse=False):
        order = torch.randperm(parameter.numel())
        parameter.copy_(parameter.flatten()[order].view_as(parameter))

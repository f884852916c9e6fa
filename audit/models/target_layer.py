"""Which layer's output the class activation maps are made of, and how that lies: as declared, or as one forward pass
lets guess. A guess is stated where the model is loaded, with the setting that overrides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from audit.models.errors import ModelError, nearest
from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout, guessed_layout

# these hand on what came in, or put it in another order
_PASSING_ON = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.Identity, nn.Flatten, nn.Unflatten)
_POOLING = (
    *(nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d, nn.FractionalMaxPool2d),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)


@dataclass(frozen=True)
class TargetLayer:
    """path: dotted, '' where the network has no layer with places; grid: (h, w) of its places, None likewise."""

    path: str
    layout: LayerLayout
    grid: tuple[int, int] | None
    is_guess: bool = False


@dataclass(frozen=True)
class Call:
    """A module that ran: its path and what it put out. is_last: it did not run again."""

    path: str
    module: nn.Module
    output: torch.Tensor
    is_last: bool


@contextmanager
def traced(module: nn.Module) -> Iterator[list[tuple[str, nn.Module, object]]]:
    """Path, module and output of every call inside `module` while the context lasts, in the order they ended."""
    calls: list[tuple[str, nn.Module, object]] = []
    with ExitStack() as removed:
        for path, part in module.named_modules():
            if path:

                def keep(ran: nn.Module, _inputs: object, output: object, path: str = path) -> None:
                    calls.append((path, ran, output))

                removed.callback(part.register_forward_hook(keep).remove)
        yield calls


def target_layer(
    module: nn.Module,
    declared: str,
    layout: LayerLayout | None,
    trace: Sequence[tuple[str, nn.Module, object]],
    answer: torch.Tensor,
    size: tuple[int, int],
    name: str,
) -> TargetLayer:
    """The layer named `declared`, or where that is '' a guess, from one pass over pictures of `size`.

    layout: as declared for the architecture; None has it guessed as well. A layer that runs several times counts by
    its last run. name: of the model, for messages. Raises ModelError for a layer that does not exist, did not run or
    gives no map.
    """
    calls = _calls(trace, len(answer))
    if not declared:
        return _guessed(calls, answer, size)
    layers = [path for path, _ in module.named_modules() if path]
    if declared not in layers:
        raise ModelError(f"{name} has no layer {declared}: {nearest(declared, layers)}")
    layer = module.get_submodule(declared)
    outputs = [output for _, ran, output in trace if ran is layer]
    if not outputs:
        raise ModelError(f"{name}: target layer {declared} does not run on a picture; name one that does")
    output = outputs[-1]
    if isinstance(output, torch.Tensor) and output.ndim > 0 and len(output) == len(answer):
        found = layout
        if layout is None:
            found = guessed_layout(layer, output, size, _grids_before(calls, output, size))
        if found is not None and found.fits(output):
            return TargetLayer(declared, found, _grid(found, output))
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    expected = (layout or CHANNELS_FIRST).shape
    raise ModelError(f"{name}: target layer {declared} gives {shape}, not a map {expected}")


def _guessed(calls: Sequence[Call], answer: torch.Tensor, size: tuple[int, int]) -> TargetLayer:
    """The last layer that still has places, is not the scores themselves, and that the answer depends on.

    Pooling is passed over for what it pools. Of a transformer whose class token alone is read, what lies behind the
    last attention does not reach the answer from its patches, so this ends at the normalisation in front of it.
    """
    found = _candidates(calls, answer.shape[1], size)
    if not found:
        return TargetLayer("", CHANNELS_FIRST, None)
    chosen = _last_that_matters(found, answer)
    call, layout = found[chosen]
    return TargetLayer(call.path, layout, _grid(layout, call.output), is_guess=True)


def _candidates(calls: Sequence[Call], outputs: int, size: tuple[int, int]) -> list[tuple[Call, LayerLayout]]:
    """Layers that may be meant, the last first. A module that only hands on another's output speaks for it, being the
    larger part, as a stage for its last block.
    """
    hidden = _inside_attention(calls)
    found: list[tuple[Call, LayerLayout]] = []
    is_behind_scores = True
    for group in reversed(_groups(calls)):
        makers = [call for call in group if not _passes_on(call.module)]
        visible = [call for call in makers if call.is_last and call.path not in hidden]
        if not makers or isinstance(_maker(makers), _POOLING) or not visible:
            continue
        call = visible[-1]
        layout = guessed_layout(_maker(makers), call.output, size, _grids_before(calls, call.output, size))
        if layout is None or (layout.name == "tokens" and not _may_be_read(call.module)):
            continue
        # as many channels as outputs: scores at each place, to be averaged, as in SqueezeNet
        if is_behind_scores and layout.maps(call.output).shape[1] == outputs:
            continue
        is_behind_scores = False
        found.append((call, layout))
    return found


def _last_that_matters(found: Sequence[tuple[Call, LayerLayout]], answer: torch.Tensor) -> int:
    """The first whose places have a gradient; the first of all where none has, as of a network that answers a constant.

    Outputs are weighted unevenly, since those of some networks add up to a constant.
    """
    weights = torch.rand(answer.shape[1], generator=torch.Generator().manual_seed(0)).to(answer)
    places = [call.output for call, _ in found]
    can_reach = [place.requires_grad for place in places]
    if not answer.requires_grad or not any(can_reach):
        return 0
    reached = [place for place, can in zip(places, can_reach, strict=True) if can]
    gradients = iter(torch.autograd.grad((answer * weights).sum(), reached, allow_unused=True))
    for index, (_, layout) in enumerate(found):
        gradient = next(gradients) if can_reach[index] else None
        if gradient is not None and bool((layout.maps(gradient) != 0).any()):
            return index
    return 0


def _calls(trace: Sequence[tuple[str, nn.Module, object]], rows: int) -> list[Call]:
    last = {path: index for index, (path, _, _) in enumerate(trace)}
    return [
        Call(path, module, output, last[path] == index)
        for index, (path, module, output) in enumerate(trace)
        if isinstance(output, torch.Tensor) and output.ndim > 0 and len(output) == rows and output.is_floating_point()
    ]


def _groups(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls that put out one and the same tensor, in order: a layer, what works on it in place, and what holds them."""
    groups: list[list[Call]] = []
    for call in calls:
        if groups and groups[-1][-1].output is call.output:
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups


def _maker(calls: Sequence[Call]) -> nn.Module:
    """The innermost part that had the last word on a tensor: a container has children and only hands it on."""
    leaves = [call.module for call in calls if next(call.module.children(), None) is None]
    return leaves[-1] if leaves else calls[0].module


def _passes_on(module: nn.Module) -> bool:
    return isinstance(module, _PASSING_ON) or type(module).__name__ in ("Permute", "DropPath", "StochasticDepth")


def _inside_attention(calls: Sequence[Call]) -> set[str]:
    """Paths within attention: queries, keys and weights have the shape of maps and are none."""
    heads = [call.path for call in calls if "attention" in type(call.module).__name__.lower()]
    return {call.path for call in calls for head in heads if call.path == head or call.path.startswith(f"{head}.")}


def _may_be_read(module: nn.Module) -> bool:
    """Of layers of tokens: a normalisation, or a part with parts of its own such as a block."""
    return "norm" in type(module).__name__.lower() or next(module.children(), None) is not None


def _grids_before(calls: Sequence[Call], output: torch.Tensor, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Height and width of every layer's maps up to the one that gave `output`."""
    grids: list[tuple[int, int]] = []
    for call in calls:
        if call.output is output:
            break
        layout = guessed_layout(call.module, call.output, size, ()) if call.output.ndim == 4 else None
        if layout is not None:
            grids.append(_grid(layout, call.output))
    return grids


def _grid(layout: LayerLayout, output: torch.Tensor) -> tuple[int, int]:
    height, width = layout.maps(output).shape[2:]
    return int(height), int(width)

"""One forward pass before anything is rendered: does this network answer what the audit will ask?"""

from __future__ import annotations

import torch
from torch import nn

from audit.models.errors import ModelError, nearest
from audit.models.frozen import frozen
from audit.models.layer_layout import LayerLayout
from audit.models.preprocessing import Preprocessing
from audit.models.task import Task

ROWS = 2
# what may stand between a network's last real operation and its output without changing a number
_RESHAPES = ("View", "UnsafeView", "Reshape", "Slice", "Select", "Squeeze", "Unsqueeze", "Clone", "Alias")


def probed_grid(
    module: nn.Module,
    layer: str,
    layout: LayerLayout,
    outputs: str,
    preprocessing: Preprocessing,
    device: str,
    task: Task,
    name: str,
) -> tuple[int, int]:
    """Height and width of the target layer's output, once a probe forward has shown that all is as declared.

    module: the network itself, as its author made it. outputs: logits or probabilities, as configured. Raises
    ModelError where the answer has the wrong rank, rows or values or is none to the task, or the layer gives no map.
    """
    target = _layer(module, layer, name)
    maps: list[object] = []
    handle = target.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    try:
        with frozen(module), torch.enable_grad():
            answer = _answer(module, preprocessing, device, name)
            _check_answer(answer, outputs, task, name)
    finally:
        handle.remove()
    if len(maps) != 1:
        raise ModelError(
            f"{name}: target layer {layer} ran {len(maps)} times in one forward pass; name a layer that runs once"
        )
    output = maps[0]
    if not isinstance(output, torch.Tensor) or not layout.fits(output) or output.shape[0] != ROWS:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(f"{name}: target layer {layer} gives {shape}, not a map {layout.shape}")
    height, width = layout.maps(output).shape[2:]
    return int(height), int(width)


def _layer(module: nn.Module, layer: str, name: str) -> nn.Module:
    layers = {path: part for path, part in module.named_modules() if path}
    if not layer:
        spatial = [path for path, part in layers.items() if isinstance(part, nn.Conv2d | nn.ReLU)]
        known = f"its convolutions and ReLUs are {', '.join(spatial)}" if spatial else "it has no convolution"
        raise ModelError(f"{name} names no target layer: set target_layer to a module path ({known})")
    if layer not in layers:
        raise ModelError(f"{name} has no layer {layer}: {nearest(layer, layers)}")
    part: nn.Module = layers[layer]
    return part


def _answer(module: nn.Module, preprocessing: Preprocessing, device: str, name: str) -> object:
    noise = torch.rand((ROWS, 3, preprocessing.height, preprocessing.width), generator=torch.Generator().manual_seed(0))
    pictures = (noise - 0.5).to(device).requires_grad_()
    try:
        return module(pictures.clone())
    except Exception as error:  # the user's own code: whatever it raises, the reader needs the shape and the message
        size = f"(B, 3, {preprocessing.height}, {preprocessing.width})"
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ModelError(f"{name} fails on a picture of shape {size}: {type(error).__name__}: {first}") from error


def _check_answer(answer: object, outputs: str, task: Task, name: str) -> None:
    if not isinstance(answer, torch.Tensor):
        raise ModelError(f"{name} returns a {type(answer).__name__}, not a tensor (B, {task.outputs})")
    if answer.ndim != 2 or answer.shape[0] != ROWS:
        raise ModelError(
            f"{name} returns shape {tuple(answer.shape)} for {ROWS} pictures, not ({ROWS}, {task.outputs})"
        )
    if refused := task.refusal(int(answer.shape[1])):
        raise ModelError(f"{name} has {refused}")
    if not answer.is_floating_point() or not torch.isfinite(answer).all():
        raise ModelError(f"{name} answers with NaN, infinite or integer values to random pictures")
    if outputs == "probabilities" and not bool(((answer >= 0) & (answer <= 1)).all()):
        low, high = answer.min().item(), answer.max().item()
        raise ModelError(f"{name}: outputs=probabilities, but it answers {low:.3g} to {high:.3g}: set outputs=logits")
    ending = _squashed_by(answer) if outputs == "logits" else ""
    if ending:
        raise ModelError(f"{name}: outputs=logits, but the network ends in a {ending}: set outputs=probabilities")


def _squashed_by(answer: torch.Tensor) -> str:
    """'sigmoid' or 'softmax' where the network ends in one, else ''.

    Read as logits, probabilities would all land between .5 and .73, a silent alarm everywhere; or, of classes, all
    near 1 / their number.
    """
    node = answer.grad_fn
    while node is not None and node.name().startswith(_RESHAPES) and node.next_functions:
        node = node.next_functions[0][0]
    return next((kind.lower() for kind in ("Sigmoid", "Softmax") if node and node.name().startswith(kind)), "")

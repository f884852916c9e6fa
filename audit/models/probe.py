"""One forward pass before anything is rendered: does this network answer what the audit will ask?"""

from __future__ import annotations

import torch
from torch import nn

from audit.metrics.cells import CELLS, SENSORS
from audit.models.errors import ModelError, nearest
from audit.models.frozen import frozen
from audit.models.preprocessing import Preprocessing

ROWS = 2
# what may stand between a network's last real operation and its output without changing a number
_RESHAPES = ("View", "UnsafeView", "Reshape", "Slice", "Select", "Squeeze", "Unsqueeze", "Clone", "Alias")


def probed_grid(
    module: nn.Module, layer: str, outputs: str, preprocessing: Preprocessing, device: str, name: str
) -> tuple[int, int]:
    """Height and width of the target layer's output, once a probe forward has shown that all is as declared.

    module: the network itself, as its author made it. outputs: logits or probabilities, as configured. Raises
    ModelError where the answer has the wrong rank, rows, size or values, or the layer gives no (B, C, h, w) map.
    """
    target = _layer(module, layer, name)
    maps: list[object] = []
    handle = target.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    try:
        with frozen(module), torch.enable_grad():
            answer = _answer(module, preprocessing, device, name)
            _check_answer(answer, outputs, name)
    finally:
        handle.remove()
    if len(maps) != 1:
        raise ModelError(
            f"{name}: target layer {layer} ran {len(maps)} times in one forward pass; name a layer that runs once"
        )
    output = maps[0]
    if not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[0] != ROWS:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(f"{name}: target layer {layer} gives {shape}, not a map (B, channels, height, width)")
    return int(output.shape[2]), int(output.shape[3])


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


def _check_answer(answer: object, outputs: str, name: str) -> None:
    wanted = f"(B, {CELLS}) or more, a multiple of {len(SENSORS)}"
    if not isinstance(answer, torch.Tensor):
        raise ModelError(f"{name} returns a {type(answer).__name__}, not a tensor {wanted}")
    if answer.ndim != 2 or answer.shape[0] != ROWS:
        raise ModelError(f"{name} returns shape {tuple(answer.shape)} for {ROWS} pictures, not {wanted}")
    if answer.shape[1] < CELLS or answer.shape[1] % len(SENSORS):
        raise ModelError(f"{name} has {answer.shape[1]} outputs, not {wanted}: index = distance * 5 + sensor")
    if not answer.is_floating_point() or not torch.isfinite(answer).all():
        raise ModelError(f"{name} answers with NaN, infinite or integer values to random pictures")
    if outputs == "probabilities" and not bool(((answer >= 0) & (answer <= 1)).all()):
        low, high = answer.min().item(), answer.max().item()
        raise ModelError(f"{name}: outputs=probabilities, but it answers {low:.3g} to {high:.3g}: set outputs=logits")
    if outputs == "logits" and _ends_in_sigmoid(answer):
        raise ModelError(f"{name}: outputs=logits, but the network ends in a sigmoid: set outputs=probabilities")


def _ends_in_sigmoid(answer: torch.Tensor) -> bool:
    """Read as logits, probabilities would all land between .5 and .73: a silent alarm everywhere."""
    node = answer.grad_fn
    while node is not None and node.name().startswith(_RESHAPES) and node.next_functions:
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("Sigmoid")

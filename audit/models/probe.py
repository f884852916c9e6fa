"""One forward pass before anything is rendered: does this network answer what the audit will ask?"""

from __future__ import annotations

import torch
from torch import nn

from audit.models.errors import ModelError
from audit.models.frozen import frozen
from audit.models.layer_layout import LayerLayout
from audit.models.preprocessing import Preprocessing
from audit.models.target_layer import TargetLayer, target_layer, traced
from audit.models.task import Task

ROWS = 2
# what may stand between a network's last real operation and its output without changing a number
_RESHAPES = ("View", "UnsafeView", "Reshape", "Slice", "Select", "Squeeze", "Unsqueeze", "Clone", "Alias")


def probed_layer(
    module: nn.Module,
    layer: str,
    layout: LayerLayout | None,
    outputs: str,
    preprocessing: Preprocessing,
    device: str,
    task: Task,
    name: str,
) -> TargetLayer:
    """The target layer, once a probe forward has shown that all is as declared.

    module: the network itself, as its author made it. layer: as declared, '' to have it guessed. layout: of its
    output, None to have that guessed. outputs: logits or probabilities, as configured. Raises ModelError where the
    answer has the wrong rank, rows or values or is none to the task, or a declared layer gives no map.
    """
    with frozen(module), torch.enable_grad():
        with traced(module) as trace:
            answer = _checked(_answer(module, preprocessing, device, name), outputs, task, name)
        return target_layer(module, layer, layout, trace, answer, (preprocessing.height, preprocessing.width), name)


def _answer(module: nn.Module, preprocessing: Preprocessing, device: str, name: str) -> object:
    noise = torch.rand((ROWS, 3, preprocessing.height, preprocessing.width), generator=torch.Generator().manual_seed(0))
    pictures = (noise - 0.5).to(device).requires_grad_()
    try:
        return module(pictures.clone())
    except Exception as error:  # the user's own code: whatever it raises, the reader needs the shape and the message
        size = f"(B, 3, {preprocessing.height}, {preprocessing.width})"
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ModelError(f"{name} fails on a picture of shape {size}: {type(error).__name__}: {first}") from error


def _checked(answer: object, outputs: str, task: Task, name: str) -> torch.Tensor:
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
    return answer


def _squashed_by(answer: torch.Tensor) -> str:
    """'sigmoid' or 'softmax' where the network ends in one, else ''.

    Read as logits, probabilities would all land between .5 and .73, a silent alarm everywhere; or, of classes, all
    near 1 / their number.
    """
    node = answer.grad_fn
    while node is not None and node.name().startswith(_RESHAPES) and node.next_functions:
        node = node.next_functions[0][0]
    return next((kind.lower() for kind in ("Sigmoid", "Softmax") if node and node.name().startswith(kind)), "")

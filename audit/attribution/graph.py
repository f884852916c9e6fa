"""What autograd recorded of a network: its nonlinearities, whichever way it calls them, and what hangs on what."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.autograd.graph import Node, get_gradient_edge

# what cuts off below 0, by the name of its node, and the attribute that says where it cuts: '' for always at 0
RECTIFIERS = {
    "ReluBackward": "",
    "ThresholdBackward": "_saved_threshold",
    "HardtanhBackward": "_saved_min_val",  # ReLU6 is one from 0 to 6
    "ClampBackward": "_saved_min",
    "ClampMinBackward": "_saved_min",
}
# what bends an activation otherwise, by the name of its node
OTHERS = {
    "HardswishBackward": "Hardswish",
    "SiluBackward": "SiLU",
    "GeluBackward": "GELU",
    "MishBackward": "Mish",
    "EluBackward": "ELU",  # SELU too
    "CeluBackward": "CELU",
    "SoftplusBackward": "Softplus",
    "LeakyReluBackward": "leaky ReLU",
    "PreluKernelBackward": "PReLU",
    "RreluWithNoiseBackward": "RReLU",
}
SWISH = "x * sigmoid(x)"
_GATES = ("SigmoidBackward", "HardsigmoidBackward", "SoftmaxBackward")
_LAID_OTHERWISE = tuple(
    f"{kind}Backward"
    for kind in ("View", "UnsafeView", "Expand", "Unsqueeze", "Squeeze", "Permute", "Transpose", "Clone", "ToCopy")
)
_BY_A_CONSTANT = ("AddBackward", "MulBackward", "DivBackward", "HardtanhBackward", "ClampBackward")


def hangs_on(answer: torch.Tensor, place: torch.Tensor) -> bool:
    """Whether gradients of `answer` get to `place`, whatever they are there."""
    return place.requires_grad and get_gradient_edge(place).node in set(_behind(answer, _operands))


def rectifiers(target: torch.Tensor) -> list[Node]:
    """The rectifiers in the graph behind `target`, whichever way the network calls them."""
    nodes = _behind(target, _operands)
    gates = _written_out(nodes)
    return [node for node in nodes if _cuts_at_zero(node) and node not in gates]


def other_nonlinearities(target: torch.Tensor) -> list[str]:
    """What bends activations behind `target` and is no rectifier, the name of each, as often as it runs.

    Not what makes a gate, with which a network scales its activations, as squeeze and excitation does: it bends none.
    A sigmoid or tanh by itself is taken for the end of a gate or of the network.
    """
    written_out = _written_out(_behind(target, _operands))

    def beside_gates(node: Node) -> list[Node]:
        operands = _operands(node)
        scaled = [o for o in operands if not _is_gate(o, written_out)] if _is_product(node) else []
        return scaled or operands

    found = []
    for node in _behind(target, beside_gates):
        kind = next((name for start, name in OTHERS.items() if node.name().startswith(start)), "")
        if _is_product(node):
            one, other = _operands(node)
            pairs = [(a, b) for a, b in ((one, other), (other, one)) if _is_gate(b, written_out)]
            kind = SWISH if any(_is_made_of(gate, scaled) for scaled, gate in pairs) else ""
        found += [kind] if kind else []
    return found


def _behind(target: torch.Tensor, operands: Callable[[Node], list[Node]]) -> list[Node]:
    """Every node that leads to `target`, each once."""
    found: dict[Node, None] = {}
    ahead = [] if target.grad_fn is None else [target.grad_fn]
    while ahead:
        node = ahead.pop()
        if node not in found:
            found[node] = None
            ahead.extend(operands(node))
    return list(found)


def _operands(node: Node) -> list[Node]:
    """What a node was computed from; constants, weights among them, are not recorded."""
    return [following for following, _ in node.next_functions if following is not None]


def _cuts_at_zero(node: Node) -> bool:
    kind = next((k for k in sorted(RECTIFIERS, key=len, reverse=True) if node.name().startswith(k)), None)
    if kind is None or not RECTIFIERS[kind]:
        return kind is not None
    return getattr(node, RECTIFIERS[kind], None) == 0


def _written_out(nodes: list[Node]) -> set[Node]:
    """The relu6 of each relu6(x + 3) / 6 and x * relu6(x + 3) / 6: dividing by 6 tells them from rectifiers."""
    found: set[Node] = set()
    for node in nodes:
        if _is_a_sixth(node):
            (whole,) = _operands(node)
            found.update(
                part for part in (whole, *(_operands(whole) if _is_product(whole) else ())) if _ends_at_six(part)
            )
    return found


def _ends_at_six(node: Node) -> bool:
    return _cuts_at_zero(node) and 6 in (getattr(node, "_saved_max_val", None), getattr(node, "_saved_max", None))


def _is_a_sixth(node: Node) -> bool:
    kinds = (("DivBackward", 6), ("MulBackward", 1 / 6))
    by = next((number for kind, number in kinds if node.name().startswith(kind)), None)
    if by is None or len(_operands(node)) != 1:
        return False
    constant = getattr(node, "_saved_other", None)
    return isinstance(constant, torch.Tensor) and constant.numel() == 1 and math.isclose(float(constant), by)


def _is_product(node: Node) -> bool:
    return node.name().startswith("MulBackward") and len(_operands(node)) == 2


def _is_gate(node: Node, written_out: set[Node]) -> bool:
    while node.name().startswith(_LAID_OTHERWISE) and len(_operands(node)) == 1:
        (node,) = _operands(node)
    ends = node.name().startswith(_GATES) or node in written_out
    return ends or (_is_a_sixth(node) and _operands(node)[0] in written_out)


def _is_made_of(gate: Node, scaled: Node) -> bool:
    """Whether a gate is computed, place by place, from the very activation that it scales."""
    while gate is not scaled and gate.name().startswith((*_GATES, *_BY_A_CONSTANT)) and len(_operands(gate)) == 1:
        (gate,) = _operands(gate)
    return gate is scaled

"""Many targets of the same pictures: one forward pass per batch, and one backward pass for all targets together.

`attribute` goes forward anew for every target, which for 155 cells of one picture is 155 times the same. Here the
backward pass is batched over targets instead. The maps are those that `attribute` gives, one target at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from audit.attribution.engine import AttributionError, method_named
from audit.attribution.methods import INPUT, Method
from audit.attribution.network import Network, kept_output
from audit.attribution.passes import LAYER, LAYER_GRADIENT, PICTURE_GRADIENT, Pass, recorded
from audit.attribution.targets import outputs_where
from audit.config import MethodSettings
from audit.metrics.arrays import Mask, Pixels, Singles
from audit.models.adapter import Adapter
from audit.models.device import repeatable_arithmetic
from audit.models.frozen import frozen

BATCHED = frozenset({PICTURE_GRADIENT, LAYER, LAYER_GRADIENT})  # what a plain backward pass leaves behind


def maps_of_outputs(
    adapter: Adapter, images: Pixels | Sequence[Pixels], outputs: Sequence[int], method: str, batch: int = 16
) -> Singles:
    """Maps of single outputs, (N, T, h, w) float32: of picture n and output outputs[t], as of targets.output(t)."""
    sums = np.zeros((len(outputs), adapter.task.outputs), dtype=bool)
    sums[np.arange(len(outputs)), list(outputs)] = True
    return maps_of_sums(adapter, images, sums, [method], batch)[method]


def maps_of_sums(
    adapter: Adapter, images: Pixels | Sequence[Pixels], sums: Mask, methods: Sequence[str], batch: int = 16
) -> dict[str, Singles]:
    """Maps of several targets of all pictures, by method: (N, T, h, w) float32, signed and unnormalised.

    images: uint8 RGB, (N, H, W, 3) or a sequence of (H, W, 3), `batch` at a time. sums: (T, K) bool, a target each, the
    sum of the logits where it is True. Methods are those that read plain gradients. The network is left as it was
    found. Raises AttributionError for any other method, ValueError where `sums` does not go with the network.
    """
    chosen = [method_named(name) for name in methods]
    for method in chosen:
        if method.needs - BATCHED:
            raise AttributionError(f"{method.name} cannot be had of many targets at once: it needs passes of its own")
        if adapter.grid is None and method.place != INPUT:
            raise AttributionError(f"{method.name} needs a layer whose output has places, {adapter.name} has none")
    if sums.ndim != 2 or sums.shape[1] != adapter.task.outputs:
        raise ValueError(f"sums {sums.shape} do not go with {adapter.task.outputs} outputs")
    side = adapter.preprocessing
    sizes = {m.name: (side.height, side.width) if m.place == INPUT else adapter.grid or (0, 0) for m in chosen}
    maps = {name: np.empty((len(images), len(sums), *size), np.float32) for name, size in sizes.items()}
    with torch.inference_mode(False), frozen(adapter.module), repeatable_arithmetic():
        for start in range(0, len(images) if len(sums) else 0, batch):
            part = slice(start, start + batch)
            for name, found in _of_batch(adapter, images[part], sums, chosen).items():
                maps[name][part] = found
    return maps


def _of_batch(
    adapter: Adapter, images: Pixels | Sequence[Pixels], sums: Mask, methods: Sequence[Method]
) -> dict[str, Singles]:
    """(B, T, h, w) by method. Targets lie before pictures in what is differentiated, as the batched pass wants it."""
    needs = frozenset[str]().union(*(method.needs for method in methods))
    layer = adapter.layer() if needs & {LAYER, LAYER_GRADIENT} else None
    network = Network(adapter.module, layer, adapter.layout, adapter.task.outputs)
    leaf = adapter.preprocessing.apply(images, adapter.device).requires_grad_(PICTURE_GRADIENT in needs)
    with torch.enable_grad():
        logits, activation = _answer(network, leaf)
        places = ([leaf] if PICTURE_GRADIENT in needs else []) + ([activation] if activation is not None else [])
        chosen = torch.from_numpy(sums).to(logits)
        found = _jacobian(logits, places, chosen)
    shape = (len(sums), len(images))
    value = torch.where(chosen[:, None] > 0, logits.detach(), 0.0).sum(dim=2).reshape(-1)
    passed = Pass(
        network=network,
        target=outputs_where(np.repeat(sums, len(images), axis=0)),
        rows=range(shape[0] * shape[1]),
        pictures=_of_every_target(leaf.detach(), len(sums)),
        logits=_of_every_target(logits.detach(), len(sums)),
        value=value,
        picture_gradient=found[0].flatten(0, 1) if PICTURE_GRADIENT in needs else None,
        guided=None,
        deconvolved=None,
        activation=None if activation is None else _maps(network, _of_every_target(activation.detach(), len(sums))),
        activation_gradient=None if activation is None else _maps(network, found[-1].flatten(0, 1)),
        grey=0.0,
        batch=len(images),
        settings=MethodSettings(),
    )
    out = {}
    for method in methods:
        maps = torch.where(torch.isfinite(value)[:, None, None], method.maps(passed).float(), torch.nan)
        out[method.name] = maps.unflatten(0, shape).transpose(0, 1).cpu().numpy()
    return out


def _answer(network: Network, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits (B, K), and the target layer's output however it lies."""
    if network.layer is None:
        return network.logits(pictures), None
    with kept_output(network.layer) as kept:
        logits = network.logits(pictures)
    return logits, kept[-1]


def _jacobian(logits: torch.Tensor, places: Sequence[torch.Tensor], sums: torch.Tensor) -> list[torch.Tensor]:
    """(T, *shape of the place) each: the gradient of every picture's own sums; zeros where they do not depend on it."""
    above = sums[:, None].expand(-1, len(logits), -1)
    if not logits.requires_grad:
        return [p.new_zeros((len(sums), *p.shape)) for p in places]
    places = recorded(places)
    try:
        found = torch.autograd.grad(logits, places, above, is_grads_batched=True, allow_unused=True, retain_graph=True)
    except RuntimeError:  # a function of the user's own that cannot be batched: one backward pass per target
        rows = [torch.autograd.grad(logits, places, row, allow_unused=True, retain_graph=True) for row in above]
        found = tuple(None if gs[0] is None else torch.stack(gs) for gs in zip(*rows, strict=True))
    return [p.new_zeros((len(sums), *p.shape)) if g is None else g for p, g in zip(places, found, strict=True)]


def _of_every_target(values: torch.Tensor, count: int) -> torch.Tensor:
    """(B, ...) as (count * B, ...), repeated target by target."""
    return values.expand(count, *values.shape).flatten(0, 1)


def _maps(network: Network, values: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) of a layer's output however it lies."""
    return network.layout.maps(values).float()

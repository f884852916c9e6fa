"""Whole batches through the shared pass: the maps of all methods for all pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from audit.attribution.methods import INPUT, METHODS, Method
from audit.attribution.network import Network
from audit.attribution.passes import LAYER, LAYER_GRADIENT, Pass, shared_pass
from audit.attribution.targets import Target, outputs_where
from audit.config import MethodSettings
from audit.metrics.arrays import Floats, Mask, Pixels, Singles
from audit.metrics.resampling import bilinear_resampled
from audit.models.adapter import Adapter
from audit.models.device import repeatable_arithmetic
from audit.models.errors import ModelError, nearest
from audit.models.frozen import frozen

PICTURE = "picture"  # gradients end at the pixels before normalisation
MIDDLE_GREY = 0.5  # of pixels in [0, 1]


class AttributionError(ModelError):
    """A method that does not exist, or that this network does not allow. One line, with what to do."""


def attribute(
    adapter: Adapter,
    images: Pixels | Sequence[Pixels],
    target: Mask | Target,
    methods: Sequence[str],
    batch: int = 64,
    settings: MethodSettings | None = None,
    gradient_at: str = INPUT,
) -> dict[str, Singles]:
    """Maps of each method: (N, h, w) float32, signed and unnormalised, at the method's own resolution.

    images: uint8 RGB, (N, H, W, 3) or a sequence of (H, W, 3). target: a Target, or (N, K) bool, K the task's outputs,
    which stands for the sum of a row's logits where it is True; a row without any gets a NaN map and is not sent
    through the network. The others go through in their order, `batch` at a time, and the shared pass is one forward
    and one backward per batch whatever the number of methods. gradient_at: 'input', what the network is fed, or
    'picture', the pixels in [0, 1] before normalisation, in the network's channel order; then the gradient also runs
    through a standardisation per image. A row in which the network answers NaN has NaN maps and leaves the others
    alone. The network is left as it was found.
    Raises AttributionError for an unknown method or one that the network does not allow, TargetError for a target it
    does not have, ValueError for shapes that do not agree.
    """
    chosen = [method_named(name) for name in methods]
    rows, bound = _rows_and_target(adapter, len(images), target)
    maps = {method.name: np.full((len(images), *_size(adapter, method)), np.nan, np.float32) for method in chosen}
    if not chosen:
        return maps
    # leaving inference mode, should a caller be in it: nothing made there can be differentiated
    with torch.inference_mode(False), frozen(adapter.module), repeatable_arithmetic():
        for start in range(0, len(rows), batch):
            taken = rows[start : start + batch]
            pictures = [images[row] for row in taken]
            passed = _pass(adapter, pictures, bound, taken.tolist(), chosen, settings, gradient_at, batch)
            is_answered = torch.isfinite(passed.value)[:, None, None]
            for method in chosen:
                found = torch.where(is_answered, method.maps(passed).float(), torch.nan)
                maps[method.name][taken] = found.cpu().numpy()
    return maps


def refusal(adapter: Adapter, name: str) -> str:
    """Why the network does not allow a method, to be read after the method's name; '' where it does."""
    method = method_named(name)
    if adapter.grid is None and method.needs & {LAYER, LAYER_GRADIENT}:
        return "needs a layer whose output has places, and the network has none"
    if method.refusal is None:
        return ""
    side = adapter.preprocessing
    picture = np.random.default_rng(0).integers(0, 256, (side.height, side.width, 3), dtype=np.uint8)
    with torch.inference_mode(False), frozen(adapter.module), repeatable_arithmetic():
        return method.refusal(_network(adapter, INPUT), adapter.preprocessing.apply([picture], adapter.device))


def resized(maps: Floats, height: int, width: int) -> Singles:
    """Maps (N, h, w) on (height, width), bilinear with pixel centres aligned (align_corners=False), float32."""
    return bilinear_resampled(maps, height, width)


def method_named(name: str) -> Method:
    """Raises AttributionError, which names the nearest ones, for a method that does not exist."""
    if name not in METHODS:
        raise AttributionError(f"attribution method {name} is unknown: {nearest(name, METHODS)}")
    return METHODS[name]


def _pass(
    adapter: Adapter,
    images: Sequence[Pixels],
    target: Target,
    rows: Sequence[int],
    methods: Sequence[Method],
    settings: MethodSettings | None,
    gradient_at: str,
    batch: int,
) -> Pass:
    at_pixels = gradient_at == PICTURE
    read = adapter.preprocessing.unit if at_pixels else adapter.preprocessing.apply
    needs = frozenset[str]().union(*(method.needs for method in methods))
    network, pictures = _network(adapter, gradient_at), read(images, adapter.device)
    return shared_pass(network, pictures, target, rows, needs, settings, _grey(adapter, at_pixels), batch)


def _grey(adapter: Adapter, at_pixels: bool) -> torch.Tensor:
    """(1, 3, 1, 1), a pixel of middle grey, or what the network is fed of a picture of nothing else: by a fixed
    normalisation (.5 - mean) / std, which is near 0 for ImageNet's; standardised per image 0, the picture's mean."""
    middle = torch.full((1, 3, 1, 1), MIDDLE_GREY, dtype=torch.float64, device=adapter.device)
    return middle if at_pixels else adapter.preprocessing.normalised(middle)


def _network(adapter: Adapter, gradient_at: str) -> Network:
    layer = None if adapter.grid is None else adapter.layer()
    normalise = adapter.preprocessing.normalised if gradient_at == PICTURE else None
    return Network(adapter.module, layer, adapter.layout, adapter.task.outputs, normalise)


def _rows_and_target(adapter: Adapter, count: int, target: Mask | Target) -> tuple[np.ndarray, Target]:
    """The pictures that have a target, and the target."""
    if callable(target):
        return np.arange(count), target
    mask = np.asarray(target, dtype=bool)
    if mask.shape != (count, adapter.task.outputs):
        raise ValueError(f"target mask {mask.shape} does not go with {count} pictures, {adapter.task.outputs} outputs")
    return np.flatnonzero(mask.any(axis=1)), outputs_where(mask)


def _size(adapter: Adapter, method: Method) -> tuple[int, int]:
    if method.place == INPUT:
        return adapter.preprocessing.height, adapter.preprocessing.width
    if adapter.grid is None:
        raise AttributionError(
            f"{method.name} needs a layer whose output has places, and model {adapter.name} has none; name one with"
            " target_layer, or choose methods that read the picture, attribution.methods=[saliency,input_x_gradient]"
        )
    return adapter.grid

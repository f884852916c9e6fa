"""Whole batches through the shared pass: the maps of all methods for all pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from audit.attribution.methods import METHODS, Method
from audit.attribution.passes import gradient_pass
from audit.metrics.arrays import Floats, Mask, Pixels, Singles
from audit.metrics.resampling import bilinear_resampled
from audit.models.adapter import Adapter
from audit.models.device import repeatable_arithmetic
from audit.models.errors import ModelError, nearest
from audit.models.frozen import frozen


class AttributionError(ModelError):
    """A method that does not exist. The message names the nearest ones that do."""


def attribute(
    adapter: Adapter,
    images: Pixels | Sequence[Pixels],
    target_mask: Mask,
    methods: Sequence[str],
    batch: int = 64,
) -> dict[str, Singles]:
    """Maps of each method: (N, h, w) float32, signed and unnormalised, at the method's own resolution.

    images: uint8 RGB, (N, H, W, 3) or a sequence of (H, W, 3). target_mask: (N, K) bool, K the task's outputs; the
    target of a row is the sum of its logits where the mask is True. A row without any gets a NaN map and is not sent
    through the network; the others go through in their order, `batch` at a time, one forward and one backward pass per
    batch whatever the number of methods. Saliency lives on the network's input, class activation maps on the target
    layer's grid.
    Raises AttributionError for an unknown method, ValueError for shapes that do not agree.
    """
    chosen = [_method(name) for name in methods]
    mask = np.asarray(target_mask, dtype=bool)
    if mask.shape != (len(images), adapter.task.outputs):
        raise ValueError(
            f"target mask {mask.shape} does not go with {len(images)} pictures and {adapter.task.outputs} outputs"
        )
    maps = {method.name: np.full((len(images), *_size(adapter, method)), np.nan, np.float32) for method in chosen}
    rows = np.flatnonzero(mask.any(axis=1))
    if not chosen:
        return maps
    to_pictures = any(method.place == "input" for method in chosen)
    # leaving inference mode, should a caller be in it: nothing made there can be differentiated
    with torch.inference_mode(False), frozen(adapter.module), repeatable_arithmetic():
        for start in range(0, len(rows), batch):
            taken = rows[start : start + batch]
            pictures = adapter.preprocessing.apply([images[row] for row in taken], adapter.device)
            targets = torch.from_numpy(mask[taken]).to(adapter.device)
            passed = gradient_pass(adapter.module, adapter.layer(), pictures, targets, adapter.layout, to_pictures)
            for method in chosen:
                maps[method.name][taken] = method.maps(passed).float().cpu().numpy()
    return maps


def resized(maps: Floats, height: int, width: int) -> Singles:
    """Maps (N, h, w) on (height, width), bilinear with pixel centres aligned (align_corners=False), float32."""
    return bilinear_resampled(maps, height, width)


def _method(name: str) -> Method:
    if name not in METHODS:
        raise AttributionError(f"attribution method {name} is unknown: {nearest(name, METHODS)}")
    return METHODS[name]


def _size(adapter: Adapter, method: Method) -> tuple[int, int]:
    if method.place == "layer":
        return adapter.grid
    return adapter.preprocessing.height, adapter.preprocessing.width

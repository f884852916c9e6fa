"""Eigen-CAM: what the target layer's channels have most in common, whatever the network answers."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.attribution.passes import Pass


def eigen_cam(passed: Pass) -> Tensor:
    """Muhammad and Yeasin 2020, section 3: activations (places x channels), projected on their first right singular
    vector, (B, h, w); not centred, as there.

    A singular vector has no sign: it is chosen so that the map's sum is not negative. No target is involved.
    """
    if passed.activation is None:
        raise ValueError("the pass was made without the layer")
    batch, _, height, width = passed.activation.shape
    by_place = passed.activation.flatten(2).transpose(1, 2).double()
    is_finite = torch.isfinite(by_place).all(dim=2).all(dim=1)
    projected = _on_first_singular_vector(torch.where(is_finite[:, None, None], by_place, 0.0))
    total = projected.sum(dim=1, keepdim=True)
    projected = torch.where(total < 0, -projected, projected)
    return torch.where(is_finite[:, None], projected, torch.nan).view(batch, height, width)


def _on_first_singular_vector(matrices: Tensor) -> Tensor:
    """(B, n) of (B, n, m), up to a sign, by the smaller of both Gram matrices: only the largest value is wanted."""
    if matrices.shape[1] < matrices.shape[2]:
        values, vectors = torch.linalg.eigh(matrices @ matrices.mT)
        return vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    _, vectors = torch.linalg.eigh(matrices.mT @ matrices)
    return (matrices @ vectors[:, :, -1:])[:, :, 0]

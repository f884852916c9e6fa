"""Methods that average the gradient over many copies of a picture: along a path, and in a cloud of noise.

Maps are (B, H, W) on the network's input. Copies go through the network `Pass.batch` at a time, all pictures of the
batch together; what is drawn at random is drawn from a fixed seed, the same for every picture, so a map does not
depend on the pictures beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audit.attribution.altered_copies import gradients, parts
from audit.attribution.passes import Pass

NOISE_SEED = 2017


def integrated_gradients(passed: Pass) -> Tensor:
    """Sundararajan et al. 2017, equation 1: (picture - grey) x the mean gradient on the straight line between the
    two, summed over channels. The map adds up to target(picture) - target(grey): completeness. Grey is `Pass.grey`.

    The integral is taken by Gauss and Legendre's rule of settings.path_steps points, none of which is an end.
    Where gradients run through a standardisation of each image the whole line looks alike to the network: the target
    jumps at the grey end, and the map holds nothing of it.
    """
    nodes, weights = np.polynomial.legendre.leggauss(passed.settings.path_steps)  # of [-1, 1]
    way = passed.pictures - passed.grey
    total = torch.zeros_like(way)
    for some in parts(passed, len(nodes)):
        shares = way.new_tensor((nodes[some] + 1) / 2)
        found = gradients(passed, passed.grey + shares[:, None, None, None, None] * way)
        total += torch.einsum("k,kbchw->bchw", way.new_tensor(weights[some] / 2), found)
    return (way * total).sum(dim=1)


def smooth_grad(passed: Pass) -> Tensor:
    """Smilkov et al. 2017, section 3: the gradient averaged over settings.noise_copies noisy copies of a picture; max
    over channels of |mean|, >= 0.

    Noise is normal, its standard deviation settings.noise_spread x (largest - smallest value of the picture).
    """
    pictures = passed.pictures
    spread = passed.settings.noise_spread * (pictures.amax(dim=(1, 2, 3)) - pictures.amin(dim=(1, 2, 3)))
    generator = torch.Generator().manual_seed(NOISE_SEED)
    total = torch.zeros_like(pictures)
    for some in parts(passed, passed.settings.noise_copies):
        # one draw a copy: a longer draw would give other numbers, and maps would depend on how copies are parted
        drawn = [torch.randn(pictures.shape[1:], generator=generator) for _ in range(some.stop - some.start)]
        noise = torch.stack(drawn).to(pictures)[:, None]
        total += gradients(passed, pictures + spread[:, None, None, None] * noise).sum(dim=0)
    return (total / passed.settings.noise_copies).abs().amax(dim=1)

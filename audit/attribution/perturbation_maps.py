"""Methods that ask the network about altered copies of a picture, or with a part of itself silenced; no gradients.

Copies go through the network `Pass.batch` at a time, all pictures of the batch together, so memory does not grow with
masks, positions or channels. What a removed pixel becomes is `Pass.grey`. Random masks are drawn from a fixed seed
and are the same for all pictures of a size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from audit.attribution.altered_copies import parts, scores
from audit.attribution.network import replaced_output
from audit.attribution.passes import Pass

MASK_SEED = 2018


@dataclass(frozen=True)
class Occluded:
    """What a target loses as a square grey patch of `side` pixels hides parts of the pictures.

    tops, lefts: rows and columns of the patch's upper left corner, in pixels. drops: (B, rows, columns), the target
    of the picture as it is less that of the picture with the patch.
    """

    tops: list[int]
    lefts: list[int]
    side: int
    drops: Tensor


def occluded(passed: Pass) -> Occluded:
    """Zeiler and Fergus 2014, section 4.2: a grey patch slides over the picture.

    The patch's side is settings.patch of the picture's shorter side; it moves on by settings.patch_step of its own
    side, and the last row and column of positions lie flush with the border, so every patch hides the same area.
    """
    height, width = passed.pictures.shape[2:]
    side = max(1, round(passed.settings.patch * min(height, width)))
    step = max(1, round(passed.settings.patch_step * side))
    tops, lefts = _positions(height, side, step), _positions(width, side, step)
    places = [(top, left) for top in tops for left in lefts]

    def covered(some: slice) -> Tensor:
        copies = passed.pictures.repeat(len(places[some]), 1, 1, 1, 1)
        for copy, (top, left) in zip(copies, places[some], strict=True):
            copy[:, :, top : top + side, left : left + side] = passed.grey
        return copies

    drops = passed.value[:, None] - scores(passed, len(places), covered)
    return Occluded(tops, lefts, side, drops.unflatten(1, (len(tops), len(lefts))))


def occlusion(passed: Pass) -> Tensor:
    """Zeiler and Fergus 2014, section 4.2: the mean drop of the target over the grey patches that cover a pixel,
    (B, H, W). Positive where hiding the picture lowers the target."""
    found = occluded(passed)
    height, width = passed.pictures.shape[2:]
    down = _cover(found.tops, found.side, height).to(found.drops.device)
    along = _cover(found.lefts, found.side, width).to(found.drops.device)
    total = torch.einsum("brc,rh,cw->bhw", found.drops.double(), down, along)
    return total / (down.sum(dim=0)[:, None] * along.sum(dim=0))


def rise(passed: Pass) -> Tensor:
    """Petsiuk et al. 2018, equation 6: the mean target of randomly masked pictures, weighted by each pixel's mask,
    less the mean target of all masked pictures; (B, H, W).

    The paper's map, sum of f x mask / (N x p), estimates the expected target given that a pixel is kept. Here the mean
    is taken off f first: a target that a pixel does not move has 0 there, whatever its size, and the accidental
    unevenness of the masks, which f would multiply, drops out. Otherwise it is the paper's map less a constant.
    """
    pictures, settings = passed.pictures, passed.settings
    height, width = pictures.shape[2:]
    masks = RandomMasks.drawn(height, width, settings.masks, settings.mask_cells, settings.mask_share)

    def masked(some: slice) -> Tensor:
        kept = masks.of(some).to(pictures)[:, None, None]
        return passed.grey + kept * (pictures - passed.grey)

    found = scores(passed, settings.masks, masked).double()
    # the target as it is goes off before the mean does: of a network that does not react, what is left is exactly 0
    moved = found - passed.value[:, None].double()
    moved = moved - moved.mean(dim=1, keepdim=True)
    total = moved.new_zeros((len(pictures), height * width))
    for some in parts(passed, settings.masks):
        total += moved[:, some] @ masks.of(some).to(moved).flatten(1)
    return total.unflatten(1, (height, width)) / (settings.masks * settings.mask_share)


def score_cam(passed: Pass) -> Tensor:
    """Wang et al. 2020, algorithm 1: each channel of the target layer, enlarged and scaled to [0, 1], masks the
    picture; channels are weighted by the softmax of what the target then is over the grey picture. (B, h, w), without
    the final ReLU.

    The grey picture's target is the same for all channels and cancels in the softmax, so it is not asked for. A channel
    of one value masks everything. With settings.channels above 0 the channels of largest norm alone are tried.
    """
    activation = _activation(passed)
    chosen = _channels(activation, passed.settings.channels)
    pictures = passed.pictures
    every = torch.arange(len(pictures), device=activation.device)

    def masked(some: slice) -> Tensor:
        maps = activation[every, chosen[:, some].T].to(pictures.dtype)  # (channels, B, h, w)
        enlarged = interpolate(maps, size=pictures.shape[2:], mode="bilinear", align_corners=False)
        least, most = enlarged.amin(dim=(2, 3), keepdim=True), enlarged.amax(dim=(2, 3), keepdim=True)
        mask = torch.where(most == least, 0.0, (enlarged - least) / torch.where(most == least, 1.0, most - least))
        return passed.grey + mask[:, :, None] * (pictures - passed.grey)

    weights = scores(passed, chosen.shape[1], masked).softmax(dim=1)
    return _weighted(activation, chosen, weights)


def ablation_cam(passed: Pass) -> Tensor:
    """Ramaswamy and Desai 2020, equation 3: each channel of the target layer is set to zero, and weighted by what the
    target loses by it. (B, h, w), without the final ReLU.

    The paper divides the loss by the target. Here it is not divided: it would turn the sign of all maps of a target
    below 0, as logits and a regressor's outputs may be, and scales a map otherwise. Of a transformer's layer the
    patches are silenced and the class token, which has no place, is left alone. A layer that runs several times is
    silenced in every run. With settings.channels above 0 the channels of largest norm alone are tried.
    """
    activation = _activation(passed)
    network, pictures = passed.network, passed.pictures
    if network.layer is None:
        raise ValueError("the network has no target layer")
    chosen = _channels(activation, passed.settings.channels)
    silenced = chosen.T.flatten()  # channel by channel, of all pictures
    of = torch.arange(len(pictures)).repeat(chosen.shape[1])
    answers = []
    for start in range(0, len(of), passed.batch):  # what goes through the layer in one call
        part = slice(start, start + passed.batch)
        with replaced_output(network.layer, _without(passed, silenced[part])):
            answers.append(passed.scores(pictures[of[part].to(pictures.device)], of[part]))
    lost = passed.value[:, None] - torch.cat(answers).unflatten(0, (chosen.shape[1], len(pictures))).T
    return _weighted(activation, chosen, lost)


def _without(passed: Pass, channels: Tensor) -> Callable[[Tensor], Tensor]:
    """A layer's output with channel channels[i] of row i set to zero, in the layer's own layout."""

    def silence(output: Tensor) -> Tensor:
        changed = output.clone()
        maps = passed.network.layout.maps(changed)  # a view: what is written to it is written to the output
        maps[torch.arange(len(channels), device=maps.device), channels.to(maps.device)] = 0
        return changed

    return silence


def _positions(length: int, side: int, step: int) -> list[int]:
    """Where a patch begins along one axis, the last one flush with the border."""
    regular = list(range(0, length - side + 1, step))
    return regular if regular[-1] == length - side else [*regular, length - side]


def _cover(starts: list[int], side: int, length: int) -> Tensor:
    """(starts, length) float64: 1 where the patch that begins there covers a pixel."""
    pixels = torch.arange(length)
    first = torch.tensor(starts)[:, None]
    return ((pixels >= first) & (pixels < first + side)).double()


def _activation(passed: Pass) -> Tensor:
    if passed.activation is None:
        raise ValueError("the pass was made without the layer's activation")
    return passed.activation


def _channels(activation: Tensor, most: int) -> Tensor:
    """(B, n) the numbers of the channels that are tried: all, or each picture's `most` of largest norm."""
    count = activation.shape[1]
    if most == 0 or most >= count:
        return torch.arange(count, device=activation.device).expand(len(activation), -1)
    norms = activation.flatten(2).norm(dim=2)
    return norms.argsort(dim=1, descending=True, stable=True)[:, :most]


def _weighted(activation: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """(B, h, w) the sum of weight x activation over the chosen channels, weights (B, n)."""
    all_weights = activation.new_zeros(activation.shape[:2]).scatter(1, chosen, weights.to(activation.dtype))
    return torch.einsum("bc,bchw->bhw", all_weights, activation)


@dataclass(frozen=True)
class RandomMasks:
    """The masks of RISE (Petsiuk et al. 2018, section 3.2), kept as what they are grown from.

    grids: (N, rows, columns) of 0 and 1. shifts: (N, 2), pixels down and right. cell: its height and width in pixels.
    size: the picture's.
    """

    grids: Tensor
    shifts: Tensor
    cell: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def drawn(cls, height: int, width: int, count: int, cells: int, share: float) -> RandomMasks:
        """`count` masks, each cell kept with probability `share`; `cells` along the shorter side, cells as square as
        whole numbers of them allow. Equal arguments give equal masks."""
        shorter = min(height, width)
        rows, columns = max(1, round(cells * height / shorter)), max(1, round(cells * width / shorter))
        cell = (-(-height // rows), -(-width // columns))  # rounded up, so that a shifted grid still covers all
        generator = torch.Generator().manual_seed(MASK_SEED)
        grids = (torch.rand((count, rows, columns), generator=generator) < share).float()
        shifts = (torch.rand((count, 2), generator=generator) * torch.tensor(cell)).long()
        return cls(grids, shifts, cell, (height, width))

    def of(self, some: slice) -> Tensor:
        """(n, H, W) float32 in [0, 1] of a slice of the masks: enlarged by one cell too much, then shifted and cut."""
        grids = self.grids[some]
        rows, columns = grids.shape[1:]
        size = ((rows + 1) * self.cell[0], (columns + 1) * self.cell[1])
        enlarged = interpolate(grids[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        enlarged = enlarged.clamp(0, 1)  # weights add up to 1 but for rounding
        height, width = self.size
        pairs = zip(enlarged, self.shifts[some].tolist(), strict=True)
        return torch.stack([one[down : down + height, right : right + width] for one, (down, right) in pairs])

"""A small network that is differentiated by hand: what tests of attribution methods compare with.

Nothing here uses autograd. The network is 3 -> 4 -> 3 channels, two convolutions (3 x 3, padded), a rectifier behind
each, a 2 x 2 maximum between them and a dense layer at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

HEIGHT, WIDTH = 8, 10  # of the picture
GRID = (4, 5)  # of the target layer, `second`, which is read before its rectifier
OUTPUTS = 155

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]  # what went in below, what comes from above: what goes down


def plain(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    return above * (below > 0)


def guided(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Springenberg et al. 2015, figure 1c: (f > 0) x (R > 0) x R."""
    return (below > 0) * (above > 0) * above


def deconvolved(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Springenberg et al. 2015, figure 1c, of Zeiler and Fergus 2014: (R > 0) x R."""
    return (above > 0) * above


class Literal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.first = nn.Conv2d(3, 4, 3, padding=1)
            self.second = nn.Conv2d(4, 3, 3, padding=1)
            self.dense = nn.Linear(3 * GRID[0] * GRID[1], OUTPUTS)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = max_pool2d(relu(self.first(fed)), 2)
        return self.dense(relu(self.second(hidden)).flatten(1))

    def numbers(self) -> tuple[np.ndarray, ...]:
        parts = (self.first, self.second, self.dense)
        return tuple(p.detach().numpy().astype(float) for part in parts for p in (part.weight, part.bias))

    def by_hand(self, fed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What lies before the first rectifier (4, 8, 10), the target layer (3, 4, 5), logits (155,) of (3, 8, 10)."""
        w1, b1, w2, b2, *_ = self.numbers()
        first = convolved(fed, w1, b1)
        pooled = np.maximum(first, 0).reshape(4, GRID[0], 2, GRID[1], 2).max(axis=(2, 4))
        second = convolved(pooled, w2, b2)
        return first, second, self.behind(second)

    def behind(self, second: np.ndarray) -> np.ndarray:
        """Logits of the target layer's output."""
        *_, w3, b3 = self.numbers()
        return w3 @ np.maximum(second, 0).ravel() + b3

    def gradients(self, fed: np.ndarray, cells: np.ndarray, rule: Rule = plain) -> tuple[np.ndarray, np.ndarray]:
        """Of the sum of the logits of `cells` at the picture (3, 8, 10) and at the target layer (3, 4, 5)."""
        w1, _, w2, _, w3, _ = self.numbers()
        first, second, _ = self.by_hand(fed)
        at_second = rule(second, w3[cells].sum(axis=0).reshape(second.shape))
        at_pooled = convolved_back(at_second, w2)
        rectified, at_rectified = np.maximum(first, 0), np.zeros_like(first)
        for c in range(4):
            for i in range(GRID[0]):
                for j in range(GRID[1]):
                    block = rectified[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                    di, dj = divmod(int(block.argmax()), 2)
                    at_rectified[c, 2 * i + di, 2 * j + dj] = at_pooled[c, i, j]
        return convolved_back(rule(first, at_rectified), w1), at_second


def convolved(below: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    _, height, width = below.shape
    padded = np.pad(below, ((0, 0), (1, 1), (1, 1)))
    found = np.zeros((len(weight), height, width))
    for k in range(len(weight)):
        for i in range(height):
            for j in range(width):
                found[k, i, j] = (weight[k] * padded[:, i : i + 3, j : j + 3]).sum() + bias[k]
    return found


def convolved_back(above: np.ndarray, weight: np.ndarray) -> np.ndarray:
    _, height, width = above.shape
    found = np.zeros((weight.shape[1], height + 2, width + 2))
    for k in range(len(weight)):
        for i in range(height):
            for j in range(width):
                found[:, i : i + 3, j : j + 3] += weight[k] * above[k, i, j]
    return found[:, 1:-1, 1:-1]


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w) on (height, width), bilinear between pixel centres, the border repeated."""
    rows, columns = values.shape
    found = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            y = min(max((i + 0.5) * rows / height - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(y), int(x)
            below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            dy, dx = y - top, x - left
            found[i, j] = (1 - dy) * ((1 - dx) * values[top, left] + dx * values[top, right]) + dy * (
                (1 - dx) * values[below, left] + dx * values[below, right]
            )
    return found


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    assert measured.shape == expected.shape
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)

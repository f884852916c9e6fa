"""Where the network runs, and the arithmetic it runs with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import TypeVar

import torch

from audit.models.errors import ModelError, nearest

# torch's settings of precision and what makes each full. The general ones first: a single one that was never set tells
# what they say, so its own is read only once they say nothing.
PRECISIONS = {
    **dict.fromkeys(("backends", "backends.cudnn"), "none"),
    **dict.fromkeys(("backends.cuda.matmul", "backends.cudnn.conv", "backends.cudnn.rnn"), "ieee"),
    **dict.fromkeys(("backends.mkldnn.matmul", "backends.mkldnn.conv", "backends.mkldnn.rnn"), "ieee"),
}

T = TypeVar("T")


def pick_device(name: str) -> str:
    """The torch device behind a setting: 'auto' is CUDA where there is one, else the CPU.

    Raises ModelError where CUDA is asked for and absent, or the name means no device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdigit()):
        raise ModelError(f"device={name} is unknown: {nearest(name, ('auto', 'cpu', 'cuda', 'cuda:0'))}")
    if not torch.cuda.is_available():
        raise ModelError(f"device={name} was asked for but torch sees no CUDA device: use device=cpu or device=auto")
    if index and int(index) >= torch.cuda.device_count():
        raise ModelError(f"device={name} was asked for but there are {torch.cuda.device_count()} CUDA devices")
    return name


@contextmanager
def repeatable_arithmetic() -> Iterator[None]:
    """Convolutions and matrix products in full float32 by a fixed algorithm, so equal input gives equal bytes.

    Without it CUDA rounds to TF32 and may pick another kernel from run to run. A caller's autocast is suspended, too.
    The former settings come back, by whichever of torch's two ways they were made.
    """
    cudnn = torch.backends.cudnn
    with ExitStack() as undone:
        _take_full_precision(undone)
        undone.enter_context(cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False))
        for kind in ("cpu", "cuda"):
            undone.enter_context(torch.autocast(kind, enabled=False))
        yield


def _take_full_precision(undone: ExitStack) -> None:
    """By both ways, since torch refuses to be asked by the older where the two disagree, as it may for a network."""
    word, is_rounded = _told(torch.get_float32_matmul_precision), _told(lambda: torch.backends.cudnn.allow_tf32)
    if hasattr(torch.backends, "fp32_precision"):
        for name, value in PRECISIONS.items():
            part = attrgetter(name)(torch)
            undone.callback(setattr, part, "fp32_precision", part.fp32_precision)
            part.fp32_precision = value
    if word is not None:
        undone.callback(torch.set_float32_matmul_precision, word)
    if is_rounded is not None:
        undone.callback(setattr, torch.backends.cudnn, "allow_tf32", is_rounded)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def _told(setting: Callable[[], T]) -> T | None:
    """None where torch refuses to tell a setting by the older way; what counts then is what the newer one says."""
    try:
        return setting()
    except RuntimeError:
        return None

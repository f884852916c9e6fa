"""Where the network runs, and the arithmetic it runs with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from audit.models.errors import ModelError, nearest


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
    The former settings come back.
    """
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    full = [torch.autocast(kind, enabled=False) for kind in ("cpu", "cuda")]
    try:
        with (
            full[0],
            full[1],
            torch.backends.cudnn.flags(
                enabled=torch.backends.cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False
            ),
        ):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul

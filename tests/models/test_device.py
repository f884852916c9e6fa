"""Full precision while a network is looked at, whichever way the caller had set it, and his setting afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

import pytest
import torch

from audit.models.device import PRECISIONS, repeatable_arithmetic

BACKENDS = torch.backends
HAS_BOTH_WAYS = hasattr(BACKENDS, "fp32_precision")

OLDER: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "matmul by flag": lambda: setattr(BACKENDS.cuda.matmul, "allow_tf32", True),
    "matmul in a word": lambda: torch.set_float32_matmul_precision("medium"),
    "cudnn by flag": lambda: setattr(BACKENDS.cudnn, "allow_tf32", False),
}
NEWER: dict[str, Callable[[], None]] = {
    "matmul": lambda: setattr(BACKENDS.cuda.matmul, "fp32_precision", "tf32"),
    "everything": lambda: setattr(BACKENDS, "fp32_precision", "tf32"),
    "cudnn": lambda: setattr(BACKENDS.cudnn, "fp32_precision", "tf32"),
    "convolutions": lambda: setattr(BACKENDS.cudnn.conv, "fp32_precision", "ieee"),
    "processor": lambda: setattr(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"),
}


@pytest.fixture(autouse=True)
def settings_come_back() -> Iterator[None]:
    yield
    for name in PRECISIONS if HAS_BOTH_WAYS else ():
        attrgetter(name)(torch).fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    BACKENDS.cudnn.allow_tf32 = True


def told(setting: str) -> object:
    try:
        return attrgetter(setting)(BACKENDS)
    except RuntimeError:
        return "torch refuses to tell"


def settings() -> dict[str, object]:
    older = ("cuda.matmul.allow_tf32", "cudnn.allow_tf32", "cudnn.benchmark", "cudnn.deterministic")
    newer = [f"{name}.fp32_precision".removeprefix("backends.") for name in PRECISIONS] if HAS_BOTH_WAYS else []
    return {name: told(name) for name in (*older, *newer)}


@pytest.mark.parametrize("way", [*OLDER, *(NEWER if HAS_BOTH_WAYS else ())])
def test_precision_is_full_for_a_while_whichever_way_it_was_set(way: str) -> None:
    (OLDER | NEWER)[way]()
    before = settings()
    for _ in range(2):
        with repeatable_arithmetic(), repeatable_arithmetic():
            inside = settings()
        assert settings() == before
    assert not {"tf32", "bf16", "torch refuses to tell"} & set(inside.values())
    assert (inside["cuda.matmul.allow_tf32"], inside["cudnn.allow_tf32"]) == (False, False)
    assert (inside["cudnn.benchmark"], inside["cudnn.deterministic"]) == (False, True)


def test_settings_come_back_after_an_exception_too() -> None:
    torch.set_float32_matmul_precision("medium")
    before = settings()
    with pytest.raises(ZeroDivisionError), repeatable_arithmetic():
        _ = 1 / 0
    assert settings() == before
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.skipif(not HAS_BOTH_WAYS, reason="this torch has one way to set precision")
def test_what_follows_a_general_setting_still_does_afterwards() -> None:
    BACKENDS.fp32_precision = "tf32"
    with repeatable_arithmetic():
        pass
    BACKENDS.fp32_precision = "ieee"
    assert BACKENDS.cuda.matmul.fp32_precision == "ieee"

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from audit.config import ModelConfig
from audit.models import Adapter, build_adapter
from audit.models.proximity_cnn import ProximityCNN
from tests.models.tasks import PROXIMITY

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def from_root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's root as current folder, where tests.models.planted can be named by dotted path."""
    monkeypatch.chdir(ROOT)
    return ROOT


@pytest.fixture
def weights_2019() -> Path:
    file = SHARED / "weights" / "proximity_2019.safetensors"
    if not file.is_file():
        pytest.skip("the public weights of 2019 are not beside this repository (../shared/weights)")
    return file


@pytest.fixture
def squeezenet_weights() -> Path:
    file = SHARED / "weights" / "squeezenet1_0.safetensors"
    if not file.is_file():
        pytest.skip("ImageNet weights of SqueezeNet are not beside this repository (../shared/weights)")
    return file


@pytest.fixture
def pictures_2019() -> Path:
    folder = SHARED / "images" / "paper_2019"
    if not folder.is_dir():
        pytest.skip("the eight pictures of 2019 are not beside this repository (../shared/images/paper_2019)")
    return folder


@pytest.fixture
def pictures() -> np.ndarray:
    """Seven pictures of the network's own size, uint8 RGB."""
    return np.random.default_rng(7).integers(0, 256, (7, 64, 80, 3), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Save an untrained proximity network of a fixed seed as safetensors."""

    def save(outputs: int = 155, seed: int = 0, name: str = "net.safetensors") -> Path:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = ProximityCNN(outputs)
        save_file(network.state_dict(), tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def adapter(saved: Callable[..., Path]) -> Adapter:
    return build_adapter(ModelConfig(checkpoint=str(saved())), "cpu", PROXIMITY)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, Checkpoint, Preprocessing, Task, build_adapter
from audit.models.layer_layout import CHANNELS_FIRST, LayerLayout
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN
from tests.models.tasks import PROXIMITY

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS_2019 = ROOT.parent / "shared" / "weights" / "proximity_2019.safetensors"

MakeAdapter = Callable[..., Adapter]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_adapter() -> MakeAdapter:
    """An adapter round any module, without a checkpoint file."""

    def make(
        module: nn.Module,
        target_layer: str,
        grid: tuple[int, int],
        size: tuple[int, int] = (64, 80),
        normalisation: str = "per_image",
        device: str = "cpu",
        task: Task = PROXIMITY,
        layout: LayerLayout = CHANNELS_FIRST,
    ) -> Adapter:
        config = PreprocessingConfig(height=size[0], width=size[1], normalisation=normalisation)
        return Adapter(
            name="test",
            task=task,
            layout=layout,
            architecture="test",
            module=module.to(device).eval(),
            preprocessing=Preprocessing.from_config(config),
            target_layer=target_layer,
            grid=grid,
            checkpoint=Checkpoint("", "0" * 64),
            threshold=0.5,
            recipe=None,
            device=device,
        )

    return make


@pytest.fixture
def untrained(make_adapter: MakeAdapter) -> Adapter:
    """The proximity network with weights of a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ProximityCNN()
    return make_adapter(network, TARGET_LAYER, (16, 20))


@pytest.fixture(params=["untrained", "trained on photographs in 2019"])
def adapter(request: pytest.FixtureRequest, untrained: Adapter) -> Adapter:
    """The proximity network, untrained and with the public weights."""
    if request.param == "untrained":
        return untrained
    if not WEIGHTS_2019.is_file():
        pytest.skip("the public weights of 2019 are not beside this repository (../shared/weights)")
    return build_adapter(ModelConfig(checkpoint=str(WEIGHTS_2019)), "cpu", PROXIMITY)


@pytest.fixture
def pictures() -> np.ndarray:
    """Sixteen pictures with some structure, uint8 RGB (16, 64, 80, 3)."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (16, 8, 10, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def targets() -> np.ndarray:
    """A different handful of cells for each of the sixteen pictures, (16, 155) bool."""
    mask = np.random.default_rng(5).random((16, 155)) < 0.1
    assert mask.any(axis=1).all()
    return mask

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from audit.attribution import refusal
from audit.config import MethodSettings, ModelConfig, PreprocessingConfig
from audit.models import Adapter, Checkpoint, Preprocessing, Task, build_adapter
from audit.models.layer_layout import CHANNELS_FIRST, CLASS_TOKEN_FIRST, LayerLayout
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN
from tests.attribution import literal_network
from tests.models.tasks import PROXIMITY

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS_2019 = ROOT.parent / "shared" / "weights" / "proximity_2019.safetensors"

LITERAL_SIZE = (literal_network.HEIGHT, literal_network.WIDTH)

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


@pytest.fixture
def quick() -> MethodSettings:
    """Settings with which also the methods that have passes of their own take a moment."""
    return MethodSettings(
        path_steps=3, noise_copies=3, patch=0.5, patch_step=1.0, masks=6, mask_cells=3, mask_share=0.5, channels=3
    )


class Pooled(nn.Module):
    """Two convolutions, the mean over places, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 5, 3, 2, 1), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(5, 155)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.dense(self.pool(self.features(pictures)).flatten(1))


@pytest.fixture
def allowing(untrained: Adapter, make_adapter: MakeAdapter) -> Callable[[str], Adapter]:
    """A small network that allows a method: the proximity network, else one that pools, else a transformer."""

    def choose(method: str) -> Adapter:
        if not refusal(untrained, method):
            return untrained
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            pooled = make_adapter(Pooled(), "features.3", (16, 20))
            transformer = VisionTransformer(32, 8, 2, 2, 16, 24, dropout=0.1, num_classes=155)
            nn.init.normal_(transformer.heads.head.weight, 0, 0.3)  # made as zeros
        layer = "encoder.layers.encoder_layer_1.ln_1"
        tokens = make_adapter(transformer, layer, (4, 4), (32, 32), layout=CLASS_TOKEN_FIRST)
        found = [adapter for adapter in (pooled, tokens) if not refusal(adapter, method)]
        assert found, f"no network of these tests allows {method}"
        return found[0]

    return choose


@pytest.fixture
def literal(make_adapter: MakeAdapter) -> Adapter:
    """The network whose passes tests also take by hand."""
    return make_adapter(literal_network.Literal(), "second", literal_network.GRID, LITERAL_SIZE)


@pytest.fixture
def shown() -> np.ndarray:
    """Three pictures of its size, uint8."""
    return np.random.default_rng(8).integers(0, 256, (3, *LITERAL_SIZE, 3), dtype=np.uint8)


@pytest.fixture
def cells() -> np.ndarray:
    """A few outputs of it for each, (3, K) bool."""
    return np.random.default_rng(9).random((3, literal_network.OUTPUTS)) < 0.05

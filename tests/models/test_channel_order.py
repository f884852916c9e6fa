"""The fault of 2019, found: red and blue exchanged flip a quarter of the decisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, build_adapter
from audit.models.channel_order import flips
from tests.models.tasks import CLASSIFICATION, PROXIMITY

# picture: mean output RGB, BGR, mean absolute difference, share of the 31 x 5 decisions at .5 that flip;
# measured with an independent numpy forward pass
REFERENCE = {
    "equal_color_1": (0.313, 0.176, 0.244, 0.271),
    "equal_color_2": (0.251, 0.212, 0.122, 0.129),
    "equal_color_3": (0.285, 0.234, 0.185, 0.245),
    "equal_color_4": (0.446, 0.264, 0.331, 0.439),
    "different_color_1": (0.370, 0.159, 0.250, 0.290),
    "different_color_2": (0.431, 0.393, 0.148, 0.161),
    "different_color_3": (0.400, 0.242, 0.214, 0.284),
    "different_color_4": (0.461, 0.247, 0.256, 0.342),
}


@pytest.mark.real_weights
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_the_eight_pictures_of_2019_flip_as_measured(weights_2019: Path, pictures_2019: Path, channels: str) -> None:
    config = ModelConfig(checkpoint=str(weights_2019), preprocessing=PreprocessingConfig(channels=channels))
    originals = [np.asarray(Image.open(pictures_2019 / f"{name}.png").convert("RGB")) for name in REFERENCE]
    assert originals[0].shape == (540, 960, 3)
    table = flips(build_adapter(config, "cpu", PROXIMITY), originals)
    own, other = ("mean_output", "mean_output_swapped") if channels == "rgb" else ("mean_output_swapped", "mean_output")
    measured = table[[own, other, "mean_abs_difference", "flipped"]].to_numpy()
    np.testing.assert_allclose(measured, np.array(list(REFERENCE.values())), atol=0.001)


def test_grey_pictures_never_flip(adapter: Adapter) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 64, 80, 1), dtype=np.uint8).repeat(3, axis=3)
    table = flips(adapter, grey)
    assert (table["flipped"] == 0).all()
    assert (table["mean_abs_difference"] == 0).all()
    assert (table["mean_output"] == table["mean_output_swapped"]).all()


def test_red_and_blue_pictures_trade_places(adapter: Adapter, pictures: np.ndarray) -> None:
    there, back = flips(adapter, pictures), flips(adapter, pictures[..., ::-1])
    np.testing.assert_allclose(there["mean_output"], back["mean_output_swapped"], atol=1e-6)
    np.testing.assert_allclose(there["flipped"], back["flipped"])
    assert (there["mean_abs_difference"] > 0).all()


def test_of_a_classifier_the_one_decision_is_its_top_class(from_root: Path) -> None:
    unit = PreprocessingConfig(height=8, width=8, normalisation="fixed")
    config = ModelConfig(architecture="tests.models.planted.RedOrBlueNet", preprocessing=unit)
    adapter = build_adapter(config, "cpu", CLASSIFICATION)
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    pictures[0, ..., 0] = pictures[1, ..., 2] = pictures[2, ...] = 200
    assert adapter.logits(pictures).argmax(axis=1).tolist()[:2] == [951, 417]
    table = flips(adapter, pictures)
    assert table["flipped"].tolist() == [1, 1, 0]
    assert (table["mean_abs_difference"].to_numpy()[:2] > 0).all()
    assert table["mean_abs_difference"][2] == 0
    np.testing.assert_allclose(table["mean_output"], 0.001, rtol=1e-5)

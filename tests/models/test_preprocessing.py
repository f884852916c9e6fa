"""What the network is fed is what the preprocessing block says, pixel by pixel."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.config import PreprocessingConfig
from audit.models import ModelError, Preprocessing


def preprocessing(**changes: object) -> Preprocessing:
    return Preprocessing.from_config(PreprocessingConfig(**changes))  # type: ignore[arg-type]


def standardised(picture: np.ndarray, epsilon: float = 0.0) -> np.ndarray:
    """Per-image standardisation written out: one mean and one n - 1 deviation over all pixels and channels."""
    values = [value / 255.0 for value in picture.reshape(-1).tolist()]
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    flat = [(value - mean) / (deviation + epsilon) for value in values]
    return np.array(flat).reshape(picture.shape).transpose(2, 0, 1)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_per_image_standardisation_is_over_all_pixels_and_channels_together(epsilon: float) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 6, 8, 3), dtype=np.uint8)
    fed = preprocessing(height=6, width=8, epsilon=epsilon).apply(picture)
    np.testing.assert_allclose(fed[0].numpy(), standardised(picture[0], epsilon), atol=1e-6)


def test_bgr_is_the_same_picture_with_red_and_blue_exchanged() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (2, 64, 80, 3), dtype=np.uint8)
    rgb, bgr = preprocessing().apply(picture), preprocessing(channels="bgr").apply(picture)
    assert (rgb.flip(1) == bgr).all()
    assert not (rgb == bgr).all()


@pytest.mark.parametrize("level", [0, 1, 77, 128, 255])
def test_a_flat_picture_gives_zeros_and_neither_nan_nor_infinity(level: int) -> None:
    fed = preprocessing().apply(np.full((1, 64, 80, 3), level, np.uint8))
    assert (fed == 0).all()


def test_one_pixel_off_by_one_level_is_no_flat_picture() -> None:
    picture = np.full((1, 64, 80, 3), 100, np.uint8)
    picture[0, 5, 5, 0] = 101
    assert float(preprocessing().apply(picture).max()) > 100


def test_a_flat_picture_leaves_its_neighbours_in_the_batch_alone() -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (3, 64, 80, 3), dtype=np.uint8)
    alone = preprocessing().apply(pictures[2:])
    pictures[1] = 50
    assert (preprocessing().apply(pictures)[2:] == alone).all()


def test_fixed_normalisation_counts_its_channels_in_the_networks_order() -> None:
    picture = np.zeros((1, 64, 80, 3), np.uint8)
    picture[..., 2] = 255  # blue
    fed = preprocessing(channels="bgr", normalisation="fixed", mean=[0.5, 0.0, 0.0], std=[0.25, 1.0, 1.0]).apply(
        picture
    )
    assert fed[0, :, 0, 0].tolist() == [2.0, 0.0, 0.0]


def test_fixed_normalisation_with_its_defaults_is_the_picture_in_unit_range() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (2, 64, 80, 3), dtype=np.uint8)
    fed = preprocessing(normalisation="fixed").apply(picture)
    np.testing.assert_allclose(fed.permute(0, 2, 3, 1).numpy() * 255, picture, atol=1e-4)


def test_bilinear_is_pillows_antialiased_kernel_and_linear_is_opencvs() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (540, 960, 3), dtype=np.uint8)
    raw = {"normalisation": "fixed"}
    pillow = np.asarray(Image.fromarray(picture).resize((80, 64), Image.Resampling.BILINEAR)) / 255
    opencv = cv2.resize(picture, (80, 64), interpolation=cv2.INTER_LINEAR) / 255
    for name, expected in (("bilinear", pillow), ("linear", opencv)):
        fed = preprocessing(resize=name, **raw).apply(picture[None])[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(fed, expected, atol=1e-6)
    assert pillow.std() < 0.5 * opencv.std()  # noise survives a kernel that reads 2 x 2 pixels only


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    picture = np.random.default_rng(5).integers(0, 256, (1, 64, 80, 3), dtype=np.uint8)
    fed = [preprocessing(resize=name).apply(picture) for name in ("bilinear", "linear", "area", "bicubic")]
    assert all((one == fed[0]).all() for one in fed)


def test_pictures_of_several_sizes_go_in_one_batch() -> None:
    rng = np.random.default_rng(6)
    large, small = (rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((540, 960), (64, 80)))
    fed = preprocessing().apply([large, small])
    assert (fed[0] == preprocessing().apply(large[None])[0]).all()
    assert (fed[1] == preprocessing().apply(small[None])[0]).all()


def test_height_and_width_are_not_exchanged() -> None:
    picture = np.zeros((1, 32, 40, 3), np.uint8)
    picture[0, :16] = 200
    fed = preprocessing(normalisation="fixed").apply(picture)[0, 0]
    assert fed.shape == (64, 80)
    assert float(fed[:20].min()) > 0.7
    assert float(fed[44:].max()) == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([(64, 80), (128, 160), (90, 123), (10, 7)]))
def test_regions_that_sum_to_one_still_do_where_the_picture_ends_up(seed: int, size: tuple[int, int]) -> None:
    regions = np.random.default_rng(seed).dirichlet([0.3] * 4, size).transpose(2, 0, 1).astype(np.float32)
    seen = preprocessing().geometry(regions)
    assert seen.shape == (4, 64, 80)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen.sum(axis=0), 1.0, atol=1e-5)
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), regions.mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize": "biliner"}, "did you mean bilinear"),
        ({"channels": "bgrr"}, "did you mean bgr"),
        ({"normalisation": "per-image"}, "did you mean per_image"),
        ({"height": 0}, "at least 1 px"),
        ({"std": [1.0, 0.0, 1.0]}, "std above 0"),
        ({"mean": [0.5]}, "three values"),
        ({"epsilon": -1.0}, "negative"),
    ],
)
def test_a_preprocessing_that_cannot_be_meant_is_one_clear_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        preprocessing(**changes)
    assert "\n" not in str(error.value)


def test_floating_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        preprocessing().apply(np.zeros((1, 64, 80, 3), np.float32))


def test_its_fields_are_those_of_the_configuration() -> None:
    assert [f.name for f in dataclasses.fields(Preprocessing)] == [
        f.name for f in dataclasses.fields(PreprocessingConfig)
    ]

"""The preprocessing audit finds what a network was meant to be fed, and finds nothing where there is nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from torch import nn

from audit.analysis.significance import holm
from audit.composition import compose
from audit.loading import load_models
from audit.metrics.ranking import cell_order, reciprocal_rank
from audit.metrics.warm_light import LAMP, warm
from audit.models.feeding import FIXED, feedings, swapped, together
from audit.preprocessing_audit import NOTHING_RESIZED, Shown, preprocessing_table, spread
from audit.stages.refeeding import better, conclusions, printed, render_and_refeed
from audit.tables import PREPROCESSING
from scenes.color import srgb_decode, srgb_encode
from tests.models.colour_networks import CELLS, ReadsChannel, colour_adapter, labelled


def judged(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["is_judge"]].set_index("variant")


@pytest.mark.parametrize("is_even", [True, False])
@pytest.mark.parametrize("channel", [0, 2])
def test_a_network_of_one_colour_wants_the_order_in_which_it_finds_it(
    channel: int, is_even: bool, tmp_path: Path
) -> None:
    images, label, block = labelled(blocks=10, per_block=2, channel=0)
    shown = Shown(images, label, block, is_even)
    right, wrong = ("rgb", "bgr") if channel == 0 else ("bgr", "rgb")
    swapped = preprocessing_table(colour_adapter(ReadsChannel(channel), channels=wrong), shown)
    row = judged(swapped).loc[f"channels={right}"]
    assert row["is_better"]
    assert row["is_best"]
    assert row["mean"] == 1
    assert row["setting"] == f"preprocessing.channels={right}"
    assert better(swapped)[0].startswith(f"colours: preprocessing.channels={right} is better than {wrong} (")
    fit = preprocessing_table(colour_adapter(ReadsChannel(channel), channels=right), shown)
    assert judged(fit).loc["configured", "is_best"]
    assert judged(fit).loc[f"channels={wrong}", "is_worse"]
    assert not judged(fit)["is_better"].any()
    assert better(fit) == []
    assert f"channels={right}" not in conclusions(fit)[0]
    PREPROCESSING.write(swapped, tmp_path, csv=True)
    assert len(printed(swapped).splitlines()) > 5


def test_a_network_that_ignores_colour_flips_nothing_and_wants_nothing() -> None:
    images, label, block = labelled(blocks=10, per_block=2, channel=0)
    table = preprocessing_table(colour_adapter(ReadsChannel(None)), Shown(images, label, block, False))
    row = judged(table).loc["channels=bgr"]
    assert row["flipped"] == 0
    assert row["difference"] == 0
    assert not row["is_better"]
    assert not row["is_worse"]


class Standardises(nn.Module):
    """Standardises what it is fed itself, so the normalisation before it does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = ReadsChannel(None)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        grey = fed.mean(dim=1, keepdim=True)
        centred = grey - grey.mean(dim=(1, 2, 3), keepdim=True)
        return self.reads((centred / centred.std(dim=(1, 2, 3), keepdim=True)).expand(-1, 3, -1, -1))


def test_a_network_that_normalises_by_itself_is_told_no_normalisation() -> None:
    images, label, block = labelled(blocks=10, per_block=2, channel=1)
    table = judged(preprocessing_table(colour_adapter(Standardises()), Shown(images, label, block, False)))
    changed = table[table.index.str.startswith("normalisation=")]
    assert sorted(changed.index) == [f"normalisation={n}" for n in ("imagenet", "per_image", "symmetric")]
    alike = changed.drop("normalisation=imagenet")  # whose deviations weigh the channels
    assert (alike["flipped"] < 0.02).all()
    assert not changed["is_better"].any()
    assert not alike["is_worse"].any()


def test_kernels_are_tried_only_where_something_is_resized() -> None:
    images, label, block = labelled(blocks=8, per_block=1, channel=0)
    table = preprocessing_table(colour_adapter(ReadsChannel(0)), Shown(images, label, block, False))
    kernels = table[table["variant"].str.startswith("resize")]
    assert kernels["reason"].tolist() == [NOTHING_RESIZED]
    assert kernels["mean"].isna().all()
    small = colour_adapter(ReadsChannel(0), height=6, width=15)
    table = preprocessing_table(small, Shown(images, label, block, False))
    kernels = table[table["variant"].str.startswith("resize=") & table["is_judge"]]
    assert sorted(kernels["variant"]) == ["resize=area", "resize=bicubic", "resize=linear"]
    assert kernels["mean"].notna().all()


class TwoCues(nn.Module):
    """Reads redness, and darkness below 0, which pictures in [0, 1] never show it."""

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        redness = (fed[:, :1] - fed[:, 2:]).expand(-1, 3, -1, -1)
        return ReadsChannel(0)(redness) + ReadsChannel(None)(fed.clamp(max=0))


def test_where_one_change_helps_those_of_each_kind_are_tried_together() -> None:
    red, label, _ = labelled(blocks=24, per_block=1, channel=0)
    cue = np.repeat(np.arange(24) % 2 == 0, 8 * 20 * 3).reshape(red.shape)
    grey = (red.max(axis=-1, keepdims=True) // 2).repeat(3, axis=-1)
    shown = Shown(np.where(cue, red, grey), label, np.array([str(i) for i in range(24)], dtype=object), False)
    adapter = colour_adapter(TwoCues(), channels="bgr")  # normalisation: plain [0, 1]
    table = judged(preprocessing_table(adapter, shown))
    assert table.loc["channels=rgb", "is_better"]
    found = table[table["is_best"]]
    assert len(found) == 1
    assert found.index[0].startswith("channels=rgb normalisation=")
    assert found["difference"].iloc[0] > table.loc["channels=rgb", "difference"]
    assert found["setting"].iloc[0].startswith("preprocessing.channels=rgb preprocessing.normalisation=")


def test_mean_and_deviation_follow_the_channels() -> None:
    configured = colour_adapter(ReadsChannel(0), channels="bgr").preprocessing
    both = [f for f in feedings(configured) if f.name in ("channels=rgb", "normalisation=imagenet")]
    assert both[1].preprocessing.mean == (0.406, 0.456, 0.485)  # blue, green, red
    made = together(configured, both)
    assert (made.preprocessing.channels, made.preprocessing.mean) == ("rgb", (0.485, 0.456, 0.406))
    assert "preprocessing.mean=[0.485,0.456,0.406]" in made.setting


@pytest.mark.parametrize(("channels", "right"), [("bgr", "rgb"), ("rgb", "bgr")])
def test_a_change_that_an_earlier_one_has_made_already_is_none(channels: str, right: str) -> None:
    """Mean and deviation of torchvision in the order of the channels that are right, so turning those is all."""
    mean, std = ((v if right == "rgb" else v[::-1]) for v in FIXED["imagenet"])
    configured = colour_adapter(ReadsChannel(0), channels=channels).preprocessing
    configured = dataclasses.replace(configured, mean=mean, std=std)
    both = [f for f in feedings(configured) if f.name in (f"channels={right}", "normalisation=imagenet")]
    made = together(configured, both)
    assert made.preprocessing == swapped(configured)
    assert (made.name, made.setting) == (
        f"channels={right} normalisation=imagenet",
        f"preprocessing.channels={right}",
    )


@settings(max_examples=10, deadline=None)  # each of theirs takes a while
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), multipletests(p, method="holm")[1])


class Noise(nn.Module):
    """Answers that hang on the last digits of what it is fed: any two feedings are exchangeable."""

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        seed = fed.double().mean(dim=(1, 2, 3))[:, None]
        return torch.sin(1e7 * (seed + 1) * torch.arange(1, CELLS + 1).sqrt()).float()


@pytest.mark.slow
def test_of_exchangeable_feedings_one_is_called_better_in_at_most_five_percent_of_audits() -> None:
    rounds = 40
    adapter = colour_adapter(Noise())
    found = 0
    for seed in range(rounds):
        images, label, block = labelled(blocks=9, per_block=1, channel=None, seed=seed)
        table = judged(preprocessing_table(adapter, Shown(images, label, block, True)))
        assert len(table) == 5
        found += bool(table["is_better"].any())
    assert found <= stats.binom.ppf(0.995, rounds, 0.05)


def test_cell_order_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(1)
    logits, label = rng.integers(0, 6, (9, 12)).astype(float), rng.integers(-1, 2, (9, 12))
    label[7], label[8] = 1, -1
    for z, y, found in zip(logits, label, cell_order(logits, label), strict=True):
        pairs = [(a > b) + 0.5 * (a == b) for a in z[y == 1] for b in z[y == 0]]
        assert found == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found)
    np.testing.assert_allclose(cell_order(3 * logits - 7, label), cell_order(logits, label))


def test_reciprocal_rank_counts_from_the_top_and_ties_against_the_network() -> None:
    logits = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [np.nan, 1.0, 0.0]])
    label = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_equal(reciprocal_rank(logits, label), [0.5, 1.0, 0.5, np.nan, np.nan])


def test_a_picture_and_its_mirror_in_colour_become_the_same_warm_picture() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    lit = warm(images)
    assert (warm(images[..., ::-1]) == lit).all()
    redder = images if images[0, ..., 0].sum() >= images[0, ..., 2].sum() else images[..., ::-1]
    by_hand = [
        round(255 * float(srgb_encode(srgb_decode(v / 255.0) * g))) for v, g in zip(redder[0, 0, 0], LAMP, strict=True)
    ]
    assert lit[0, 0, 0].tolist() == by_hand


def test_scenes_are_taken_evenly_from_blocks_and_at_control_first() -> None:
    blocks = [b for b in "abc" for _ in range(4)]
    is_control = [i % 4 == 2 for i in range(12)]
    order = [f"{(7 * i) % 12:02d}" for i in range(12)]
    assert spread(blocks, is_control, order, 3) == [2, 6, 10]
    for most in range(14):
        chosen = spread(blocks, is_control, order, most)
        counts = [sum(blocks[i] == b for i in chosen) for b in "abc"]
        assert len(chosen) == min(most, 12)
        assert max(counts) - min(counts) <= 1
        assert set(chosen) <= set(spread(blocks, is_control, order, most + 1))


@pytest.mark.slow
@pytest.mark.blender
@pytest.mark.real_weights
@pytest.mark.parametrize(("configured", "best"), [("rgb", "channels=bgr"), ("bgr", "configured")])
def test_the_network_of_2019_wants_bgr_and_nobody_told(
    configured: str, best: str, weights_2019: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.getbasetemp() / "store_of_2019"  # rendered once for both
    settings = ("design=tabletop", "model=proximity_2019", f"model.checkpoint={weights_2019}", f"paths.store={store}")
    chosen = (f"model.preprocessing.channels={configured}", "preprocessing_audit.scenes=24")  # the control condition
    config = compose([*settings, *chosen])
    table = render_and_refeed(config, load_models(config))
    assert table.loc[table["is_best"], "variant"].unique().tolist() == [best]
    swap = judged(table).loc["channels=" + ("bgr" if configured == "rgb" else "rgb")]
    assert swap["flipped"] > 0.1
    assert swap["is_worse"] == (configured == "bgr")

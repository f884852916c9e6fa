"""Maps that do not notice when the weights are taken away fail; those that follow the weights pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn

from audit import cli
from audit.attribution import attribute
from audit.config import AttributionConfig, ModelConfig, PreprocessingConfig, SanityConfig
from audit.models import Adapter, Checkpoint, Preprocessing, build_adapter
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN
from audit.models.randomised import drawn_anew, layers_from, layers_in_order, steps_from_output, twin_of
from audit.sanity import (
    ASLEEP,
    CASCADING,
    FAILS,
    INDEPENDENT,
    Compared,
    compared,
    not_checked,
    sanity_rows,
    verdict_rows,
)
from audit.stages.randomising import spread
from audit.tables import SANITY, SANITY_VERDICT
from tests.models.tasks import CLASSIFICATION, PROXIMITY

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
SQUEEZENET, CAT = SHARED / "weights" / "squeezenet1_0.safetensors", SHARED / "images" / "cat.jpg"
SETTINGS = AttributionConfig(sanity=SanityConfig(scenes=4, stages=3))
BLOCKS = ("0", "1", "2", "3")


class LinearNet(nn.Module):
    """Every logit is a weighted sum of the pixels: its gradient is its weights, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3 * 64 * 80, 155)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.read(pictures.flatten(1))


class TemplateNet(nn.Module):
    """A fixed template decides where it looks; its weights only say how loud the outputs are."""

    def __init__(self) -> None:
        super().__init__()
        self.loud = nn.Linear(1, 155)
        self.template = torch.rand((3, 64, 80), generator=torch.Generator().manual_seed(0))  # no parameter, no buffer

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.loud((pictures * self.template).sum(dim=(1, 2, 3))[:, None])


class SilentNet(nn.Module):
    """Its outputs are all the same, whatever the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = nn.Conv2d(3, 2, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 0.0 * self.unread(pictures).mean(dim=(1, 2, 3))[:, None].expand(-1, 155)


@pytest.fixture
def adapted() -> Callable[[nn.Module], Adapter]:
    """An adapter round a module that needs no layer."""

    def adapt(module: nn.Module) -> Adapter:
        grid, layer = ((16, 20), TARGET_LAYER) if isinstance(module, ProximityCNN) else (None, "")
        return Adapter(
            name="net",
            task=PROXIMITY,
            architecture="test",
            module=module.eval(),
            preprocessing=Preprocessing.from_config(PreprocessingConfig()),
            target_layer=layer,
            grid=grid,
            checkpoint=Checkpoint("", "0" * 64),
            threshold=0.5,
            recipe=None,
            device="cpu",
        )

    return adapt


@pytest.fixture
def pictures() -> np.ndarray:
    coarse = np.random.default_rng(4).integers(0, 256, (4, 8, 10, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return coarse.astype(np.uint8)


@pytest.fixture
def target() -> np.ndarray:
    mask = np.random.default_rng(5).random((4, 155)) < 0.1
    return mask


def checked(
    adapter: Adapter, pictures: np.ndarray, target: np.ndarray, methods: Sequence[str] = ("saliency",)
) -> Compared:
    seeds = [[10 * scene + draw for draw in range(4)] for scene in range(len(pictures))]
    return compared(adapter, pictures, target, BLOCKS[: len(pictures)], seeds, methods, SETTINGS)


def verdict(found: Compared, limit: float = 0.5) -> pd.Series:
    return verdict_rows(found, limit).iloc[0]


def test_a_map_that_does_not_depend_on_the_weights_fails(adapted, pictures, target) -> None:
    row = verdict(checked(adapted(TemplateNet()), pictures, target))
    assert row["similarity"] == pytest.approx(1, abs=1e-6)
    assert not row["passes"]
    assert row["reason"] == FAILS


def test_a_map_that_is_the_weights_passes(adapted, pictures, target) -> None:
    row = verdict(checked(adapted(LinearNet()), pictures, target))
    assert abs(row["similarity"]) < 0.05
    assert row["passes"]
    assert row["reason"] == ""
    assert row["low"] <= row["similarity"] <= row["high"]
    assert (row["scenes"], row["blocks"]) == (4, 4)


def test_a_network_that_does_not_answer_is_not_judged_and_does_not_pass(adapted, pictures, target) -> None:
    found = checked(adapted(SilentNet()), pictures, target)
    row = verdict(found)
    assert not row["passes"]
    assert np.isnan(row["similarity"])
    assert row["reason"].startswith("undefined in 4 of 4 comparisons")
    assert set(sanity_rows(found)["undefined_reason"]) == {"constant_map"}


def test_a_draw_whose_outputs_sleep_is_replaced_by_the_next(adapted, pictures) -> None:
    """Of one output in the upper half about every second draw; with four draws hardly a comparison is missing."""
    single = np.zeros((4, 155), bool)
    single[:, 7] = True
    adapter = adapted(ProximityCNN())
    found = checked(adapter, pictures, single)
    reasons = found.reasons["saliency", CASCADING]
    assert ((reasons == "") | (reasons == ASLEEP)).all()
    assert (reasons == "").mean() > 0.7
    steps = steps_from_output(layers_in_order(adapter), 3)
    for scene, draws in enumerate([[10 * s + d for d in range(4)] for s in range(4)]):
        awake = []
        for seed in draws:
            with layers_from(drawn_anew(adapter, seed), twin_of(adapter), steps[0]) as twin:
                logits = twin.logits(pictures[scene : scene + 1])[0]
            awake.append(logits[7] >= np.median(logits))
        assert any(awake) == (reasons[0, scene] == "")


def test_cascading_is_cumulative_and_independent_is_one_step_alone(adapted, pictures, target) -> None:
    """Against the literal form: weights exchanged by hand, correlations by scipy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        adapter = adapted(ProximityCNN())
    found = checked(adapter, pictures[:1], target[:1])
    stages = [["decoder.3", "decoder.1"], ["encoder.6"], ["encoder.3", "encoder.0"]]
    assert [list(step) for step in found.steps] == stages
    own = attribute(adapter, pictures[:1], target[:1], ["saliency"])["saliency"]
    for kind in (CASCADING, INDEPENDENT):
        for k in range(3):
            taken = [layer for step in stages[: k + 1] for layer in step] if kind == CASCADING else stages[k]
            expected = np.nan
            for seed in range(4):
                module = ProximityCNN().eval()
                state = {key: values.clone() for key, values in adapter.module.state_dict().items()}
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    fresh = ProximityCNN().state_dict()
                state.update({key: v for key, v in fresh.items() if key.rpartition(".")[0] in taken})
                module.load_state_dict(state)
                twin = dataclasses.replace(adapter, module=module)
                logits = twin.logits(pictures[:1])[0]
                if logits[target[0]].mean() >= np.median(logits):
                    other = attribute(twin, pictures[:1], target[:1], ["saliency"])["saliency"]
                    expected = stats.spearmanr(own.ravel(), other.ravel()).statistic
                    break
            assert found.likeness["saliency", kind][k, 0, 0] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_the_network_is_left_as_it_was_and_equal_input_gives_equal_rows(adapted, pictures, target) -> None:
    adapter = adapted(ProximityCNN())
    before = {key: values.clone() for key, values in adapter.module.state_dict().items()}
    first, second = (sanity_rows(checked(adapter, pictures, target, ("saliency", "hires_cam"))) for _ in range(2))
    assert all(torch.equal(values, before[key]) for key, values in adapter.module.state_dict().items())
    pd.testing.assert_frame_equal(first, second)
    assert len(first) == 2 * 2 * 3
    assert list(first.columns) == list(SANITY.columns)
    assert first.groupby("randomisation")["scenes"].unique().to_dict() == {CASCADING: [4], INDEPENDENT: [2]}


def test_a_model_without_scenes_has_verdicts_that_say_so() -> None:
    rows = not_checked("net", ["saliency", "grad_cam"], 0.5, "no scene at control")
    assert list(rows.columns) == list(SANITY_VERDICT.columns)
    assert not rows["passes"].any()
    assert rows["similarity"].isna().all()


def test_scenes_are_spread_over_blocks_and_objects_and_a_block_counts_once() -> None:
    blocks = [f"{thing}.{pose}" for pose in range(8) for thing in ("lemon", "bucket")]
    chosen = [blocks[i] for i in spread(blocks, 4)]
    assert sorted(chosen) == ["bucket.0", "bucket.4", "lemon.0", "lemon.4"]
    assert spread(["10", "9", "9", "2"], 8) == [0, 1, 3]
    assert spread([], 8) == []


@pytest.mark.real_weights
def test_on_a_real_network_guided_backpropagation_fails_and_gradients_pass() -> None:
    """What Adebayo et al. 2018 found, section 5: guided methods outlive the network, gradients and Grad-CAM do not."""
    if not (SQUEEZENET.is_file() and CAT.is_file()):
        pytest.skip("SqueezeNet's weights or the cat are not beside this repository (../shared)")
    preprocessing = PreprocessingConfig(
        height=224, width=224, normalisation="fixed", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
    )
    config = ModelConfig(architecture="squeezenet1_0", checkpoint=str(SQUEEZENET), preprocessing=preprocessing)
    adapter = build_adapter(config, "cpu", CLASSIFICATION)
    cat = np.asarray(Image.open(CAT).convert("RGB"))
    views = [cat, cat[:, ::-1], cat[: cat.shape[0] * 3 // 4], cat[:, cat.shape[1] // 5 :]]
    mask = np.zeros((4, 1000), bool)
    mask[:, 282] = True
    methods = ("saliency", "grad_cam", "hires_cam", "guided_backprop", "guided_grad_cam")
    found = verdict_rows(checked(adapter, views, mask, methods), 0.5).set_index("method")
    assert found["passes"].to_dict() == {
        "saliency": True,
        "grad_cam": True,
        "hires_cam": True,
        "guided_backprop": False,
        "guided_grad_cam": False,
    }
    assert found.loc["guided_backprop", "low"] > found.loc["saliency", "high"]


@pytest.mark.blender
def test_the_command_renders_what_it_needs_and_prints_a_line_per_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], read_once: None
) -> None:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    typed = [
        *("experiment=smoke", "design.samples=2", "attribution.sanity.scenes=3", "attribution.sanity.stages=2"),
        *("attribution.methods=[hires_cam,saliency]", f"paths.store={tmp_path / 'store'}"),
    ]
    assert cli.main(["sanity", *typed]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("proximity: 3 scenes at control, layers randomised in 2 steps")
    assert out[0].endswith("; maps of what is true of the scenes")
    assert [line.split()[0] for line in out[1:4]] == ["method", "hires_cam", "saliency"]
    assert len(list((tmp_path / "store").glob("*/*.scene"))) == 3


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["attribution.sanity.scenes=0"], "attribution.sanity.scenes=0: there is nothing to check"),
        (
            ["design=pictures", "design.pictures=tests"],
            "pictures have no ground truth: choose a design of the tabletop",
        ),
        (["attribution.methods=[salience]"], "did you mean 'saliency'"),
    ],
)
def test_what_cannot_be_checked_is_one_line_and_exit_code_2(
    typed: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], read_once: None
) -> None:
    assert cli.main(["sanity", "experiment=smoke", *typed, f"paths.store={tmp_path / 'store'}"]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1

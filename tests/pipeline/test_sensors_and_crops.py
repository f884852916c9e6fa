"""The stages that judge single sensors and cut out what maps select, on a wall and a planted network."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from audit.composition import compose
from audit.config import AuditConfig, PreprocessingConfig
from audit.metrics.selection import box_iou
from audit.models import Adapter, Checkpoint, Preprocessing
from audit.models.proximity_task import ProximityTask
from audit.stages import cropping, sensing
from audit.tables import ANSWERS, CROPS, LABELS, SENSOR_ATTENTION
from scenes import proximity
from scenes.manifest import SCENES
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.scene_spec import CameraSpec, LightSpec, MaterialSpec, ObjectSpec, SceneSpec
from scenes.store import FLOOR, OBJECT, Store

CAMERA = CameraSpec(width=80, height=64, field_of_view=60.0, position=(0.05, 0.0, 0.13), tilt=56.0)
GREY = MaterialSpec(color=(0.4, 0.4, 0.4))
WALL = ObjectSpec("box", (0.1, 2.0, 1.0), (0.35, 0.0), 0.0, GREY)  # its front stands at x = .30
SPEC = SceneSpec(
    camera=CAMERA,
    floor=GREY,
    objects=(WALL,),
    key=LightSpec((0.6, 0.5, 0.8), (0.3, 0.0, 0.0), 0.02, 12.0),
    world_color=(1.0, 1.0, 1.0),
    world_strength=0.1,
    samples=4,
    render_seed=7,
)
BLOCKS = 3
FACTORS = ("light", "presence")


class BySide(nn.Module):
    """Each sensor answers by its own fifth of the picture's columns, at every distance alike."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.features.weight.fill_(0.01)
            self.features.bias.fill_(1.0)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        columns = nn.functional.adaptive_avg_pool2d(self.features(fed), (1, 5)).flatten(1)
        return columns.repeat(1, 31)


def arrays(seed: int) -> dict[str, np.ndarray]:
    """What a renderer would give of the wall, the colours drawn at random."""
    right, up, forward = proximity.camera_axes(CAMERA)
    focal = CAMERA.width / (2 * math.tan(math.radians(CAMERA.field_of_view) / 2))
    i, j = np.indices((CAMERA.height, CAMERA.width)) + 0.5
    ray = forward + ((j - CAMERA.width / 2) / focal)[..., None] * right
    ray = ray + ((CAMERA.height / 2 - i) / focal)[..., None] * up
    with np.errstate(divide="ignore"):
        to_wall = np.where(ray[..., 0] > 0, 0.25 / ray[..., 0], np.inf)
        to_floor = np.where(ray[..., 2] < 0, -0.13 / ray[..., 2], np.inf)
    rgb = np.random.default_rng(seed).integers(0, 256, (CAMERA.height, CAMERA.width, 3), dtype=np.uint8)
    return {
        "rgb": rgb,
        "index": np.where(to_wall < to_floor, OBJECT, FLOOR).astype(np.uint8),
        "depth": np.minimum(to_wall, to_floor).astype(np.float32),
        "albedo": np.zeros((2, 3), np.float32),
    }


@pytest.fixture
def config(tmp_path: Path, read_once: None) -> AuditConfig:
    crops = ["attribution.crops.scenes=3", "attribution.crops.methods=[hires_cam]"]
    return compose(["model=proximity", "design=tabletop", f"paths.store={tmp_path / 'store'}", *crops])


@pytest.fixture
def adapter() -> Adapter:
    return Adapter(
        name="planted",
        task=ProximityTask(ROBOT),
        architecture="test",
        module=BySide().eval(),
        preprocessing=Preprocessing.from_config(PreprocessingConfig()),
        target_layer="features",
        grid=(64, 80),
        checkpoint=Checkpoint("", "0" * 64),
        threshold=0.5,
        recipe=None,
        device="cpu",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tables of a run over the wall: two lights, three blocks."""
    store, rows, labels = Store(tmp_path / "store"), [], []
    defaults = {"str": "-", "float": 0.0}
    index = arrays(0)["index"]
    inside = np.argwhere(index == OBJECT)
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    box = {"box_left": left, "box_top": top, "box_right": right, "box_bottom": bottom}
    for block in range(BLOCKS):
        for light in ("back", "front"):
            spec = dataclasses.replace(SPEC, render_seed=len(rows))
            store.write_image(spec.scene_id, arrays(len(rows)), spec)
            known = {"cell_id": f"cell {len(rows)}", "scene_id": spec.scene_id, "scene_set": "tabletop"}
            known |= {"block_id": str(block), "stratum": "near", "status": "ok", "reason": "", "values": ""}
            drawn = {**known, **box, "object_px": float(len(inside)), "light": light, "presence": "object"}
            rows.append({**{c: defaults[k] for c, k in SCENES.columns.items()}, **drawn})
            label = proximity.labels([WALL], ROBOT)[:31].reshape(-1)
            labels.append({"scene_id": spec.scene_id, "label": label, "in_view": np.ones(155, bool)})
    run = tmp_path / "run"
    run.mkdir()
    SCENES.write(pd.DataFrame(rows).astype(dict.fromkeys(box, float)), run, factors=FACTORS)
    LABELS.write(pd.DataFrame(labels), run)
    return run


def keep(folder: Path, model: str, method: str, ids: list[str], maps: np.ndarray) -> None:
    into = folder / "attributions" / model
    into.mkdir(parents=True, exist_ok=True)
    np.savez(into / f"{method}.npz", scene_ids=np.array(ids), maps=maps)


def test_every_sensor_but_the_one_ahead_has_its_mirror_image_opposite() -> None:
    assert sensing.opposite(ROBOT) == [4, 3, -1, 1, 0]
    lopsided = dataclasses.replace(ROBOT, sensors=ROBOT.sensors[:3])
    assert sensing.opposite(lopsided) == [-1, -1, -1]


def test_what_is_asked_of_a_label_written_out() -> None:
    label = np.zeros(155, dtype=np.int8)
    label[[3 * 5 + 0, 4 * 5 + 0, 4 * 5 + 2]] = 1  # left at 3 and 4 cm, centre at 4 cm
    label[7 * 5 + 1] = -1
    asked = sensing.what_is_asked(label, ROBOT)
    # single cells at every second distance, all of a sensor's cells together
    assert list(zip(asked.sensor, asked.distance, strict=True)) == [(0, 4), (2, 4), (0, -1), (2, -1)]
    cells = [set(np.flatnonzero(asked.sums[place])) for place in asked.own]
    assert cells == [{20}, {22}, {15, 20}, {22}]
    opposite = [set(np.flatnonzero(asked.sums[place])) if place >= 0 else None for place in asked.other]
    assert opposite == [{24}, None, {19, 24}, None]
    assert asked.member.tolist() == [
        [False, True, False],
        [False, False, True],
        [True, True, False],
        [False, False, True],
    ]


def test_a_network_whose_sensors_look_their_own_way_leads_the_sensor_opposite(
    config: AuditConfig, adapter: Adapter, folder: Path
) -> None:
    sensing.sense(config, {"planted": adapter}, folder)
    table = SENSOR_ATTENTION.read(folder)
    whole = table[table["distance_cm"] == -1].set_index(["method", "source", "sensor"])
    for side in ("left", "right"):
        assert whole.loc[("hires_cam", "model", side), "enrichment"] > 2
        other = whole.loc[("hires_cam", "other_sensor", side)]
        assert other["enrichment"] == pytest.approx(0, abs=0.1)
        assert other["lead_low"] > 0
        # averaged over the picture the gradients of all sensors are the same, and so is Grad-CAM
        plain = whole.loc[("grad_cam", "other_sensor", side)]
        assert plain["lead"] == pytest.approx(0, abs=1e-4)
    centre = whole.loc[("hires_cam", "other_sensor", "centre")]
    assert (centre["usable_n"], centre["undefined_reason"]) == (0, "no_opposite")
    assert (table["n"] == BLOCKS).all()
    label = proximity.labels([WALL], ROBOT)[:31]
    own = table[(table["source"] == "model") & (table["method"] == "hires_cam") & (table["distance_cm"] >= 0)]
    assert len(own) == (label[::2] == 1).sum()
    assert set(table["method"]) == {"hires_cam", "grad_cam", "-"}
    assert np.isnan(table.loc[table["source"] == "model", "lead"]).all()


def test_equal_runs_give_equal_tables(config: AuditConfig, adapter: Adapter, folder: Path) -> None:
    sensing.sense(config, {"planted": adapter}, folder)
    first = (folder / "sensor_attention.parquet").read_bytes()
    sensing.sense(config, {"planted": adapter}, folder)
    assert (folder / "sensor_attention.parquet").read_bytes() == first


def test_switched_off_the_table_is_there_and_empty(config: AuditConfig, adapter: Adapter, folder: Path) -> None:
    off = dataclasses.replace(config, attribution=dataclasses.replace(config.attribution, sensors=False))
    sensing.sense(off, {"planted": adapter}, folder)
    assert len(SENSOR_ATTENTION.read(folder)) == 0


def test_crops_are_the_picture_s_own_pixels_and_their_boxes_are_measured(
    config: AuditConfig, adapter: Adapter, folder: Path
) -> None:
    scenes, store = SCENES.read(folder), Store(Path(config.paths.store))
    maps = np.zeros((len(scenes), 16, 20), np.float32)
    maps[:, 2:5, 3:6] = 1.0
    maps[:, 10:14, 12:18] = 2.0
    keep(folder, "planted", "hires_cam", list(scenes["scene_id"]), maps)
    cropping.crop_scenes(config, {"planted": adapter}, folder)
    table = CROPS.read(folder)
    assert len(table) == 2 * config.attribution.crops.scenes
    true = tuple(float(scenes[side].iloc[0]) for side in ("box_left", "box_top", "box_right", "box_bottom"))
    for row in table.itertuples():
        pixels = store.read(row.scene_id).rgb[row.y0 : row.y1, row.x0 : row.x1]
        np.testing.assert_array_equal(np.asarray(Image.open(folder / row.file)), pixels)
        assert row.iou == pytest.approx(box_iou((row.x0, row.y0, row.x1, row.y1), true), abs=1e-6)
        assert row.file.startswith("crops/planted/hires_cam/obstacle/")
    first = table[table["number"] == 1].iloc[0]
    assert (first["x0"], first["y0"], first["x1"], first["y1"]) == (48, 40, 72, 56)
    assert (folder / "crops.csv").is_file()


def test_scenes_are_taken_at_control_first_and_each_from_another_block(folder: Path) -> None:
    scenes = SCENES.read(folder)
    control = {"light": "front", "presence": "object"}
    taken = cropping.chosen(scenes, FACTORS, control, 4)
    assert [(row["light"], row["block_id"]) for row in taken[:2]] == [("front", "0"), ("back", "1")]
    assert len({row["scene_id"] for row in taken}) == 4
    again = cropping.chosen(scenes.sample(frac=1, random_state=1), FACTORS, control, 4)
    assert [row["scene_id"] for row in again] == [row["scene_id"] for row in taken]
    assert len(cropping.chosen(scenes, FACTORS, control, 99)) == len(scenes)
    assert cropping.chosen(scenes, FACTORS, control, 0) == []


def test_pictures_without_truth_have_crops_of_what_was_answered(
    config: AuditConfig, adapter: Adapter, tmp_path: Path
) -> None:
    run = tmp_path / "pictures_run"
    (run / "pictures").mkdir(parents=True)
    pixels = arrays(3)["rgb"]
    Image.fromarray(pixels).save(run / "pictures" / "one.png")
    maps = np.zeros((1, 16, 20), np.float32)
    maps[0, 4:8, 5:9] = 1.0
    keep(run, "planted", "hires_cam", ["one"], maps)
    ANSWERS.write(ANSWERS.empty(), run)
    cropping.crop_pictures(config, {"planted": adapter}, run)
    (row,) = CROPS.read(run).itertuples()
    assert row.target == "alarms"
    assert math.isnan(row.iou)
    np.testing.assert_array_equal(np.asarray(Image.open(run / row.file)), pixels[row.y0 : row.y1, row.x0 : row.x1])

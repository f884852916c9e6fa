"""The page's tables of single sensors, and its crops with their boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_run import DrawnRun, make_pictures_run, make_run
from drawn_scores import MODEL
from page_reading import read
from PIL import Image

from audit.metrics.cells import SENSORS
from audit.tables import CROPS, SENSOR_ATTENTION
from reports import write_report
from reports.crops import framed, sized
from reports.run_record import read_run
from reports.sensor_attention import sensor_tables
from scenes.manifest import SCENES


def write_sensors(run: DrawnRun, own: float, other: float) -> None:
    rows = []
    for source, value in (("model", own), ("other_sensor", other), ("untrained", 1.0)):
        for sensor in SENSORS:
            for distance in (-1, 4, 6):
                alone = source == "other_sensor" and sensor == "centre"
                lead = np.nan if source == "model" or alone else own - value
                rows.append(
                    {
                        "model": MODEL,
                        "method": "hires_cam",
                        "source": source,
                        "sensor": sensor,
                        "distance_cm": distance,
                        "enrichment": np.nan if alone else value,
                        "ci_low": value - 0.5,
                        "ci_high": value + 0.5,
                        "lead": lead,
                        "lead_low": lead - 0.5,
                        "lead_high": lead + 0.5,
                        "n": 6,
                        "usable_n": 0 if alone else 6,
                        "undefined_reason": "no_opposite" if alone else "",
                    }
                )
    SENSOR_ATTENTION.write(pd.DataFrame(rows), run.folder, csv=True)


def write_crops(run: DrawnRun, scene_id: str, iou: float, target: str) -> None:
    box = {"x0": 10, "y0": 20, "x1": 30, "y1": 40}
    key = {"model": MODEL, "method": "grad_cam", "scene_id": scene_id, "number": 1, "target": target}
    rest = {"threshold": 0.5, "share": 0.4, "iou": iou, "file": "crops/one.png"}
    CROPS.write(pd.DataFrame([{**key, **box, **rest}]), run.folder, csv=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> DrawnRun:
    run = make_run(tmp_path_factory.mktemp("sensors"))
    write_sensors(run, own=5.0, other=1.0)
    scenes = SCENES.read(run.folder)
    usable = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object") & scenes["box_left"].notna()]
    write_crops(run, str(usable["scene_id"].iloc[0]), 0.25, "obstacle")
    return run


def test_the_page_shows_sensors_and_crops(run: DrawnRun) -> None:
    path = write_report(run.folder, run.store)
    page = read(path)
    assert "Sensor by sensor" in page.source
    assert "So it tells the sensors apart" in page.source
    assert 'id="crops"' in page.source
    assert 'href="#crops"' in page.source
    assert "IoU 0.25, 40\u00a0% of the map" in page.source
    assert all("scope" in e.attributes for e in page.all("th"))
    crop = next(e for e in page.all("img") if e.attributes["src"].startswith("assets/crop-"))
    with Image.open(path.parent / crop.attributes["src"]) as file:
        assert file.size == (int(crop.attributes["width"]), int(crop.attributes["height"]))
        assert file.size[0] == file.size[1]  # 20 x 20 px of the picture, enlarged


def test_a_run_without_them_has_no_such_sections(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    source = write_report(run.folder, run.store).read_text("utf-8")
    assert "Sensor by sensor" not in source
    assert 'href="#crops"' not in source


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (5.0, 1.0, "So it tells the sensors apart"),
        (1.1, 1.0, "It is not shown to tell the sensors apart"),
        (1.0, 5.0, "another sensor's map lies better"),
    ],
)
def test_the_sentence_follows_the_lead_s_interval(tmp_path: Path, own: float, other: float, said: str) -> None:
    run = make_run(tmp_path)
    write_sensors(run, own, other)
    (table,) = sensor_tables(read_run(run.folder), MODEL)
    assert said in table.sentence
    assert [label for label, _ in table.rows] == ["all distances", "4 cm", "6 cm"]
    assert [len(cells) for _, cells in table.rows] == [10, 10, 10]
    centre = table.rows[0][1][5 + SENSORS.index("centre")]
    assert (centre.text, centre.note) == ("–", "no sensor lies opposite")


def test_pictures_without_truth_have_crops_without_overlap(tmp_path: Path) -> None:
    run = make_pictures_run(tmp_path)
    write_crops(run, "equal_color_1", np.nan, "alarms")
    source = write_report(run.folder, run.store).read_text("utf-8")
    assert 'href="#crops"' in source
    assert "40\u00a0% of the map" in source
    assert "IoU" not in source


def test_a_box_s_line_lies_just_inside_its_edge() -> None:
    drawn = np.full((40, 60, 3), 7, np.uint8)
    framed(drawn, (5, 4, 20, 15), 2, (255, 214, 0))
    lined = (drawn == (255, 214, 0)).all(axis=-1)
    rows, columns = np.nonzero(lined)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 29, 10, 39)
    assert lined.sum() == 2 * 30 + 2 * 22 - 4
    assert (drawn[:8] == 7).all()
    assert (drawn[12:25, 15:35] == 7).all()


def test_pictures_are_enlarged_by_whole_pixels_and_reduced_by_averages() -> None:
    rgb = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(sized(rgb, 2.9)[::2, ::2], rgb)
    assert sized(rgb, 2.9).shape == (8, 8, 3)
    assert sized(rgb, 0.5).shape == (2, 2, 3)
    np.testing.assert_allclose(sized(rgb, 0.5)[0, 0], rgb[:2, :2].mean(axis=(0, 1)), atol=1)

"""Planted networks, each wrong in one known way, are found for what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_audit import Finished, audited, planted

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture(scope="module")
def constant(shared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return audited(shared_store, tmp_path_factory.mktemp("constant"), *planted("ConstantNet"))


@pytest.fixture(scope="module")
def by_brightness(shared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Alarms when the far floor is bright."""
    rows = ("model.arguments.top=0.0", "model.arguments.bottom=0.25", "model.arguments.pivot=0.6")
    return audited(
        shared_store, tmp_path_factory.mktemp("brightness"), *planted("FloorBrightnessNet", *(f"+{r}" for r in rows))
    )


@pytest.fixture(scope="module")
def by_border(shared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Reads the leftmost six columns alone, and alarms when they are bright."""
    settings = planted("LeftBorderNet", "+model.arguments.pivot=0.52")
    return audited(shared_store, tmp_path_factory.mktemp("border"), *settings)


@pytest.fixture(scope="module")
def by_dark_border(shared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Reads the leftmost six columns alone, and alarms when they are dark."""
    settings = planted("LeftBorderNet", "+model.arguments.pivot=0.44", "+model.arguments.gain=-40.0")
    return audited(shared_store, tmp_path_factory.mktemp("dark"), *settings)


def test_a_constant_network_is_unfit_at_control_and_has_no_level_finding(constant: Finished) -> None:
    verdict = json.loads((constant.folder / "verdict.json").read_text())
    assert verdict["verdict"] == "unfit at control"
    assert len(constant.table("failures")) == 0
    effects = constant.table("effects")
    assert not effects["is_failure"].any()
    assert (effects.loc[effects["metric"] == "sensor_miss", "effect"] == 0).all()


def test_no_arm_changes_what_a_constant_network_says(constant: Finished) -> None:
    rows = constant.table("interventions")
    caused = rows[rows["effect"].isin(["object", "shadow", "interaction", "light", "removal_object", "removal_shadow"])]
    assert len(caused) > 0
    assert caused["mean"].abs().max() < 1e-9


def test_alarm_by_floor_brightness_is_found_under_the_light_that_brightens_it(by_brightness: Finished) -> None:
    failures = by_brightness.table("failures")
    found = failures[(failures["metric"] == "sensor_false_alarm") & (failures["condition"] == "light=back")]
    assert len(found) == 1
    assert found["effect"].item() > 0.3


def test_alarm_by_floor_brightness_is_caused_by_the_light_and_not_by_the_object(by_brightness: Finished) -> None:
    rows = by_brightness.table("interventions")
    alarms = rows[rows["response"] == "scene_alarm"]
    light = alarms[(alarms["effect"] == "light") & (alarms["light"] == "back")]
    assert light["ci_low"].max() > 0.3
    thing = alarms[(alarms["effect"] == "removal_object") & (alarms["light"] == "front")]
    assert thing["usable_n"].max() == 8
    assert thing["mean"].abs().max() < light["mean"].max() / 2


def test_a_network_that_reads_the_border_puts_all_its_attribution_there(by_border: Finished) -> None:
    with np.load(by_border.folder / "attributions" / "user" / "hires_cam.npz") as file:
        maps = np.abs(file["maps"])
    assert maps[..., :6].sum(axis=(1, 2)).min() > 0
    assert maps[..., 6:].max() == 0


def test_a_network_that_reads_the_border_earns_nothing_on_the_object(by_border: Finished) -> None:
    attention = by_border.table("attention")
    own = attention[(attention["source"] == "model") & (attention["method"] == "hires_cam")]
    on_object = own[(own["metric"] == "relevance_mass_accuracy") & (own["region"] == "object")]
    assert on_object["value"].median() < 0.2
    earned = by_border.table("earned")
    assert not earned[earned["region"] == "object"]["earned"].any()


def test_a_network_that_reads_the_border_fails_where_light_changes_the_border(by_dark_border: Finished) -> None:
    failures = by_dark_border.table("failures")
    alarms = failures[failures["metric"] == "sensor_false_alarm"]
    assert alarms["condition"].tolist() == ["light=right_low"]  # light from the right darkens the left


def test_the_page_of_an_unfit_network_says_so_first(constant: Finished) -> None:
    page = (constant.folder / "report" / "index.html").read_text()
    heading = page[page.index("<h1") : page.index("</h1>")]
    assert "nfit at control" in heading

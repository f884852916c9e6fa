"""The benchmark of attribution: every way in one run, on the same pictures and networks."""

from __future__ import annotations

import pandas as pd
import pytest

from audit import attribution_speed
from audit.config import AuditConfig


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ARCHITECTURES": ("squeezenet1_0",), "BATCHES": (1, 2), "SIDE": 64, "ENOUGH": 0.0}.items():
        monkeypatch.setattr(attribution_speed, name, value)


def test_every_way_stands_beside_the_bare_pass(small: None) -> None:
    table = pd.concat(attribution_speed.speed_tables(AuditConfig(device="cpu")))
    assert set(table["batch"]) == {1, 2}
    ways = set(table["way"])
    assert {"bare forward and backward", "saliency", "Grad-CAM", "family of seven"} < ways
    assert {"family of seven, captum and grad-cam", "Grad-CAM, grad-cam", "saliency, captum"} < ways
    assert (table["images_per_second"] > 0).all()
    assert (table.loc[table["way"] == "bare forward and backward", "times_bare"] == 1).all()
    peak = table.set_index(["batch", "way"])["peak_mb"]
    assert peak[2, "bare forward and backward"] > peak[1, "bare forward and backward"] > 0
    assert peak[1, "family of seven"] >= peak[1, "bare forward and backward"]
    exact = table.set_index(["batch", "way"])["difference"]
    assert exact[1, "saliency"] < 1e-4
    assert exact[1, "Grad-CAM"] < 1e-4


def test_a_batch_that_takes_too_long_is_left_out(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution_speed, "LONGEST", 0.0)
    assert not list(attribution_speed.speed_tables(AuditConfig(device="cpu")))

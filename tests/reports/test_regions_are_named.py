"""Every region that is measured has a name, a place and a colour on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

import reports
from audit.metrics.regions import REGIONS
from reports import attention, words


def test_the_page_orders_regions_as_they_are_measured() -> None:
    assert attention.REGION_ORDER == REGIONS
    assert set(words.REGIONS) == {*REGIONS, "-"}


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_a_color_for_its_bar_and_one_for_the_number_on_it(region: str) -> None:
    style = (Path(reports.__file__).parent / "templates" / "style.css").read_text()
    assert f"svg .m-{region} {{ fill: var(--region-" in style
    assert f"svg .m-{region}-text {{ fill: var(--on-" in style

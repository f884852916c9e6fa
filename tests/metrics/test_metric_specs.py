"""Every number the audit reports is declared."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from audit.metrics.attention import measure
from audit.metrics.sensor_events import CELLS, long, score
from audit.metrics.specs import ATTENTION_METRICS, SPECS, TASK_METRICS


def test_what_is_measured_is_declared_and_what_is_declared_is_measured() -> None:
    measured = set(long(score(np.zeros((1, CELLS)), np.zeros((1, CELLS), np.int8), 0.5))["metric"])
    assert measured | {"auc"} == set(TASK_METRICS)
    assert set(measure(np.ones((1, 2, 2)), np.full((1, 4, 2, 2), 0.25))["metric"]) == set(ATTENTION_METRICS)
    assert set(SPECS) == set(TASK_METRICS) | set(ATTENTION_METRICS)


def test_every_spec_says_which_way_is_better_and_where_it_lies() -> None:
    for name, spec in SPECS.items():
        assert spec.name == name
        assert spec.direction in {"lower_is_better", "higher_is_better", "neither"}
        assert spec.low < spec.high
        assert spec.unit in {"share", "logit", "ratio"}
        assert spec.sentence.endswith(".")
        assert spec.undefined_when
        assert spec.title


def test_metrics_need_no_torch() -> None:
    """The report and the analysis read specs and metrics, and must stay free of torch."""
    code = (
        "import sys, audit.metrics.specs, audit.metrics.attention, audit.metrics.null_maps,"
        " audit.metrics.sensor_events; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

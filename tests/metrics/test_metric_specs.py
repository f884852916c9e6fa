"""Every number the audit reports is declared."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from audit.attention.overlap import measure
from audit.metrics import classification
from audit.metrics.sensor_events import CELLS, long, score
from audit.metrics.specs import (
    ATTENTION_METRICS,
    CLASSIFICATION_METRICS,
    FAITHFULNESS_METRICS,
    PROXIMITY_METRICS,
    SPECS,
    metrics_of,
)


def test_what_is_measured_is_declared_and_what_is_declared_is_measured() -> None:
    measured = set(long(score(np.zeros((1, CELLS)), np.zeros((1, CELLS), np.int8), 0.5))["metric"])
    assert measured | {"auc"} == set(PROXIMITY_METRICS)
    three = np.eye(1, 3)
    scored = long(classification.score(three, three, three.astype(np.int8), three == 1))
    assert set(scored["metric"]) == set(CLASSIFICATION_METRICS)
    assert set(measure(np.ones((1, 2, 2)), np.full((1, 7, 2, 2), 1 / 7))["metric"]) == set(ATTENTION_METRICS)
    references = ("blurred", "removed")
    assert set(FAITHFULNESS_METRICS) == {f"{kind}_{r}" for kind in ("deletion", "insertion") for r in references}
    families = (PROXIMITY_METRICS, CLASSIFICATION_METRICS, ATTENTION_METRICS, FAITHFULNESS_METRICS)
    assert set(SPECS) == {name for family in families for name in family}


def test_every_metric_says_whose_it_is() -> None:
    """The target is the only one that two tasks have in common."""
    for name, spec in SPECS.items():
        assert set(spec.tasks) <= {"proximity", "classification", "attention", "faithfulness"}
        assert len(spec.tasks) == (2 if name == "target_logit" else 1)
    assert "top1" in metrics_of("classification")
    assert metrics_of("no such task") == ()


def test_every_spec_says_which_way_is_better_and_where_it_lies() -> None:
    for name, spec in SPECS.items():
        assert spec.name == name
        assert spec.direction in {"lower_is_better", "higher_is_better", "neither"}
        assert spec.low < spec.high
        assert spec.unit in {"share", "probability", "logit", "ratio", "index"}
        assert spec.sentence.endswith(".")
        assert spec.undefined_when
        assert spec.title


def test_metrics_need_no_torch() -> None:
    """The report and the analysis read specs and metrics, and must stay free of torch."""
    code = (
        "import sys, audit.metrics.specs, audit.metrics.regions, audit.metrics.resampling,"
        " audit.metrics.sensor_events, audit.metrics.classification; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

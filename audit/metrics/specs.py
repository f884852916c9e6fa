"""One spec per number: what it is called, which way is better, where it lies, what chance gives, when it is undefined.

Words: a sensor is *occupied* when one of its known cells within the horizon is 1, *clear* when it has known cells
there and all are 0. Unknown cells (-1) count for neither. The horizon is 15 cm of travel, 0 and 15 included.
A class is *right* when it is one that the object's own declaration or the configuration accepts.
"""

from __future__ import annotations

from collections.abc import Mapping

from audit.metrics.effect_specs import EFFECT_SPECS
from audit.metrics.map_specs import ATTENTION_SPECS, FAITHFULNESS_SPECS
from audit.metrics.metric_spec import CLASSIFICATION, PROXIMITY, MetricSpec

HORIZON = "15 cm of travel"


def _event(name: str, title: str, needs: str, sentence: str) -> MetricSpec:
    undefined_when = (needs, "nan_output")
    return MetricSpec(name, title, "lower_is_better", 0.0, 1.0, "share", "-", undefined_when, sentence, PROXIMITY)


_PROXIMITY = (
    _event(
        "sensor_miss",
        "missed sensors",
        "no_occupied_sensor",
        f"Share of the occupied sensors where no cell that holds an obstacle within {HORIZON} reaches the operating"
        " threshold.",
    ),
    _event(
        "sensor_false_alarm",
        "sensors with a false alarm",
        "no_clear_sensor",
        f"Share of the clear sensors where some known cell within {HORIZON} reaches the operating threshold.",
    ),
    _event(
        "sensor_miss_at_half",
        "missed sensors at .5",
        "no_occupied_sensor",
        f"Share of the occupied sensors where no cell that holds an obstacle within {HORIZON} reaches .5.",
    ),
    _event(
        "sensor_false_alarm_at_half",
        "sensors with a false alarm at .5",
        "no_clear_sensor",
        f"Share of the clear sensors where some known cell within {HORIZON} reaches .5.",
    ),
    _event(
        "scene_miss",
        "missed scenes",
        "no_occupied_sensor",
        "1 if the scene has occupied sensors and every one of them is missed, 0 if at least one of them detects.",
    ),
    _event(
        "scene_false_alarm",
        "scenes with a false alarm",
        "no_clear_sensor",
        "1 if at least one clear sensor of the scene gives a false alarm, else 0.",
    ),
    MetricSpec(
        "brier",
        "Brier score",
        "lower_is_better",
        0.0,
        1.0,
        "share",
        "0.25 for the constant answer .5",
        ("no_known_cell", "nan_output"),
        "Mean squared difference between probability and label over the known cells, 0 to 30 cm.",
        PROXIMITY,
    ),
    MetricSpec(
        "sensor_alarm",
        "sensors that alarm",
        "neither",
        0.0,
        1.0,
        "share",
        "-",
        ("nan_output",),
        f"Share of the five sensors where any cell within {HORIZON}, known or not, reaches the operating threshold.",
        PROXIMITY,
    ),
    MetricSpec(
        "target_alarm",
        "sensors that alarm where the object is",
        "neither",
        0.0,
        1.0,
        "share",
        "-",
        ("no_occupied_sensor", "nan_output"),
        f"Share of the sensors that the block's obstacle occupies within {HORIZON} in which one of its cells reaches"
        " the operating threshold; also asked of the scenes without it, where such an alarm is false.",
        PROXIMITY,
    ),
    MetricSpec(
        "scene_alarm",
        "scenes that alarm",
        "neither",
        0.0,
        1.0,
        "share",
        "-",
        ("nan_output",),
        f"1 if any cell of any sensor within {HORIZON}, known or not, reaches the operating threshold, else 0.",
        PROXIMITY,
    ),
    MetricSpec(
        "target_logit",
        "target",
        "neither",
        float("-inf"),
        float("inf"),
        "logit",
        "-",
        ("no_positive", "nan_output"),
        "Sum of the logits over what is true of the block's full scene: the cells that hold the obstacle, 0 to 30 cm;"
        " the right classes of the object.",
        (*PROXIMITY, *CLASSIFICATION),
    ),
    MetricSpec(
        "auc",
        "ROC-AUC",
        "higher_is_better",
        0.0,
        1.0,
        "share",
        "0.5",
        ("one_class", "nan_output"),
        "How often a scene with an obstacle in a cell gets a higher probability there than a scene without, compared"
        " within each cell and pooled over the cells by their number of pairs; ties count half.",
        PROXIMITY,
    ),
)

_CLASSIFICATION = (
    MetricSpec(
        "top1",
        "top-1 accuracy",
        "higher_is_better",
        0.0,
        1.0,
        "share",
        "right classes over 1000",
        ("no_object", "nan_output"),
        "1 if a right class is likelier than every other class, else 0; a tie counts as wrong.",
        CLASSIFICATION,
    ),
    MetricSpec(
        "top5",
        "top-5 accuracy",
        "higher_is_better",
        0.0,
        1.0,
        "share",
        "5 x right classes over 1000",
        ("no_object", "nan_output"),
        "1 if fewer than five wrong classes are at least as likely as the likeliest right one, else 0.",
        CLASSIFICATION,
    ),
    MetricSpec(
        "target_probability",
        "probability of the object",
        "higher_is_better",
        0.0,
        1.0,
        "probability",
        "right classes over 1000",
        ("no_positive", "nan_output"),
        "Sum of the probabilities of the classes that are right for the block's object, also where it was taken away.",
        CLASSIFICATION,
    ),
    MetricSpec(
        "logit_margin",
        "logit margin",
        "higher_is_better",
        float("-inf"),
        float("inf"),
        "logit",
        "0",
        ("no_positive", "no_other_class", "nan_output"),
        "Largest logit of the classes that are right for the block's object less the largest of all other classes; it"
        " shows what a saturated probability hides.",
        CLASSIFICATION,
    ),
)

SPECS: Mapping[str, MetricSpec] = {
    spec.name: spec for spec in (*_PROXIMITY, *_CLASSIFICATION, *ATTENTION_SPECS, *FAITHFULNESS_SPECS)
}


def metrics_of(task: str) -> tuple[str, ...]:
    """The names of the metrics of a task, of 'attention' or 'faithfulness', in the order in which they are told."""
    return tuple(name for name, spec in SPECS.items() if task in spec.tasks)


PROXIMITY_METRICS = metrics_of("proximity")
CLASSIFICATION_METRICS = metrics_of("classification")
ATTENTION_METRICS = metrics_of("attention")
FAITHFULNESS_METRICS = metrics_of("faithfulness")

_NOT_PERCENT = ("brier", "auc")  # shares in name, but nobody reads them as percent


def is_percent(name: str) -> bool:
    """Whether a metric's numbers, or an effect's, are printed as percent."""
    if name in EFFECT_SPECS:
        return True
    return name in SPECS and SPECS[name].unit in ("share", "probability") and name not in _NOT_PERCENT


def title(name: str) -> str:
    """What a metric or an effect is called; a name without a spec as it stands."""
    if name in EFFECT_SPECS:
        return EFFECT_SPECS[name].title
    return SPECS[name].title if name in SPECS else name.replace("_", " ")

"""The specs of what is said about maps: where they lie against the truth, and whether the network needs what they name.

P is a map's positive part. The metrics of regions are computed in audit.attention, which their sentences follow.
"""

from __future__ import annotations

from audit.metrics.metric_spec import ATTENTION, FAITHFULNESS, MetricSpec

_MAP = ("no_positive", "nan_map", "zero_map")
_REGION = (*_MAP, "empty_region", "full_region")

_AREA = "area of the region"


def _overlap(
    name: str, title: str, chance: str, sentence: str, *, high: float = 1.0, unit: str = "share"
) -> MetricSpec:
    return MetricSpec(name, title, "higher_is_better", 0.0, high, unit, chance, _REGION, sentence, ATTENTION)


def _concentration(name: str, title: str, chance: str, sentence: str) -> MetricSpec:
    return MetricSpec(name, title, "neither", 0.0, 1.0, "index", chance, _MAP, sentence, ATTENTION)


ATTENTION_SPECS = (
    _overlap(
        "relevance_mass_accuracy",
        "relevance mass accuracy",
        _AREA,
        "Share of the map's positive part that lies on the region.",
    ),
    _overlap(
        "enrichment",
        "enrichment",
        "1",
        "Relevance mass accuracy over the region's share of the picture's area.",
        high=float("inf"),
        unit="ratio",
    ),
    _overlap(
        "pointing_game",
        "pointing game",
        "area of the region widened by the tolerance",
        "Whether the map's highest point lies on the region or within 15/224 of the picture's side of it; the mean over"
        " tied highest points.",
    ),
    _overlap(
        "pointing_game_exact",
        "pointing game, no tolerance",
        _AREA,
        "Whether the map's highest point lies on the region itself; the mean over tied highest points.",
    ),
    _overlap(
        "relevance_rank_accuracy",
        "relevance rank accuracy",
        _AREA,
        "Share of the map's highest pixels, as many as the region has, that lie on the region; the mean over ties.",
    ),
    _overlap(
        "iou",
        "IoU",
        "area / (2 - area)",
        "Intersection over union of the region and the map's highest pixels, as many as the region has.",
    ),
    _overlap(
        "iou_top_5",
        "IoU of the highest 5 %",
        "0.05 area / (0.05 + 0.95 area)",
        "Intersection over union of the region and the highest twentieth of the map's pixels.",
    ),
    _overlap(
        "iou_top_20",
        "IoU of the highest 20 %",
        "0.2 area / (0.2 + 0.8 area)",
        "Intersection over union of the region and the highest fifth of the map's pixels.",
    ),
    _overlap(
        "roc_auc",
        "ROC-AUC of the map",
        "0.5",
        "How often the map, sign and all, is higher at a pixel of the region than at a pixel outside; ties count half.",
        unit="index",
    ),
    _overlap(
        "average_precision",
        "average precision",
        # of regions of whole pixels; derived in audit.attention.prepared_regions, for fractions too
        "that of pixels in random order: (S - 1) / (N - 1) (1 - H / N) + H / N, S of N pixels, H = 1 + 1/2 + ... + 1/N",
        "Precision of the map's highest pixels as the region, averaged over the shares of the region that they find.",
        unit="index",
    ),
    MetricSpec(
        "mass_split",
        "mass split",
        "neither",
        0.0,
        1.0,
        "share",
        _AREA,
        _MAP,
        "Share of the map's positive part on each of object, cast shadow, shadow from outside the frame, reflection in"
        " the floor, distractors, floor and background; the seven sum to 1.",
        ATTENTION,
    ),
    _concentration(
        "gini",
        "Gini coefficient",
        "0 for a flat map",
        "How unequally the map's positive part is spread over the pixels: 0 evenly, towards 1 all on one pixel.",
    ),
    _concentration(
        "entropy",
        "entropy",
        "1 for a flat map",
        "Entropy of the map's positive part over that of a flat map: 1 spread evenly, 0 all on one pixel.",
    ),
)

_UNASKED = (*_MAP, "no_difference", "nan_output")


def _faithfulness(name: str, title: str, direction: str, sentence: str) -> MetricSpec:
    low, high, chance = float("-inf"), float("inf"), "that of pixels in random order, measured"
    return MetricSpec(name, title, direction, low, high, "ratio", chance, _UNASKED, sentence, FAITHFULNESS)


_LOST = "Mean, over shares of the picture, of what is left of the target when the map's highest pixels"
_GAINED = "Mean, over shares of the picture, of how much of the target is back when the map's highest pixels"
_SCALE = "; 1 is the picture, 0 what they are replaced by."

FAITHFULNESS_SPECS = (
    _faithfulness("deletion_blurred", "deletion, by blur", "lower_is_better", f"{_LOST} are blurred{_SCALE}"),
    _faithfulness(
        "insertion_blurred",
        "insertion, into blur",
        "higher_is_better",
        f"{_GAINED} replace those of the blurred picture; 1 is the picture, 0 the blurred one.",
    ),
    _faithfulness(
        "deletion_removed",
        "deletion, by removal",
        "lower_is_better",
        f"{_LOST} are those of the same scene rendered without the object{_SCALE}",
    ),
    _faithfulness(
        "insertion_removed",
        "insertion, into removal",
        "higher_is_better",
        f"{_GAINED} replace those of the same scene rendered without the object; 1 is the picture, 0 that scene.",
    ),
)

"""Tables: where maps lie, and whether they depend on the network."""

from __future__ import annotations

from scenes.table import Table

ATTENTION = Table(  # attribute: attention overlap, long
    name="attention",
    version=2,
    key=("model", "scene_id", "method", "source", "metric", "region"),
    columns={
        "model": "str",
        "scene_id": "str",
        "method": "str",  # a name in audit.attribution.METHODS; '-' for maps that need no network
        "source": "str",  # model, untrained, ceiling, edges, gaussian, random
        "metric": "str",  # a name in audit.metrics.specs
        # '-': of the whole map; object, cast_shadow, outside_shadow, reflection, distractors, floor, background
        "region": "str",
        "value": "float",
        "chance": "float",
        "undefined_reason": "str",
    },
)

SENSOR_ATTENTION = Table(  # attribute: the map of one cell on what its own sensor's cone holds of the object
    name="sensor_attention",
    version=1,
    key=("model", "method", "source", "sensor", "distance_cm"),
    columns={
        "model": "str",
        "method": "str",
        # model, untrained, edges, gaussian, random, other_sensor: the map of the sensor opposite at the same travel
        "source": "str",
        "sensor": "str",
        "distance_cm": "int",  # travel, every 2 cm; -1: all distances, every cm, at which the sensor is occupied
        "enrichment": "float",  # mean over blocks of relevance mass accuracy over area; chance 1
        "ci_low": "float",
        "ci_high": "float",
        "lead": "float",  # mean over blocks of the model's enrichment less this one, by scene; NaN for the model itself
        "lead_low": "float",
        "lead_high": "float",
        "n": "int",  # blocks in which the cell is occupied
        "usable_n": "int",
        "undefined_reason": "str",  # of most scenes that are left out, '' where none is
    },
)

SANITY = Table(  # attribute: what is left of a map when weights are randomised, layer after layer
    name="sanity",
    version=1,
    key=("model", "method", "randomisation", "position"),
    columns={
        "model": "str",
        "method": "str",
        "randomisation": "str",  # cascading: from the output down to here; independent: this step alone
        "position": "int",  # 1 = the step at the output
        "layers": "str",  # what this step randomises, first and last by name
        "scenes": "int",  # compared, each with a draw of weights of its own
        "usable_n": "int",  # of them, those in which both maps say something
        "rank_correlation": "float",  # mean over scenes of Spearman's rho with the map of the network as it is
        "rank_correlation_low": "float",
        "rank_correlation_high": "float",
        "rank_correlation_absolute": "float",  # the same of absolute values
        "rank_correlation_absolute_low": "float",
        "rank_correlation_absolute_high": "float",
        "ssim": "float",  # structural similarity of the maps, each scaled to [0, 1]
        "ssim_low": "float",
        "ssim_high": "float",
        "undefined_reason": "str",  # of the scenes that are left out
    },
)

SANITY_VERDICT = Table(  # attribute: the checks' verdict, a row per model and method
    name="sanity_verdict",
    version=1,
    key=("model", "method"),
    columns={
        "model": "str",
        "method": "str",
        "passes": "bool",
        "similarity": "float",  # mean over the steps of the cascade of the rank correlation; NaN: could not be judged
        "low": "float",
        "high": "float",
        "limit": "float",  # from which on a method fails
        "other_scenes": "float",  # rank correlation of this network's own maps of different scenes, to read it by
        "scenes": "int",
        "blocks": "int",
        "reason": "str",  # '' where it passes
    },
)

CROPS = Table(  # attribute: what a map selects, cut out
    name="crops",
    version=1,
    key=("model", "method", "scene_id", "number"),
    columns={
        "model": "str",
        "method": "str",
        "scene_id": "str",
        "number": "int",  # 1 = the region with most of the map in it
        "target": "str",  # the class, or the sensors, whose map it is
        "threshold": "float",  # of the map's largest value
        "x0": "int",  # pixels of the picture, x1 and y1 behind the last
        "y0": "int",
        "x1": "int",
        "y1": "int",
        "share": "float",  # of the map's positive part
        "iou": "float",  # of the box with the object's true box; NaN without ground truth
        "file": "str",  # below the run directory
    },
)

"""Tables: what a network was asked and what it answered."""

from __future__ import annotations

from scenes.table import Table

LABELS = Table(  # labels stage: what is true of each scene, by the task's own rule
    name="labels",
    version=2,
    key=("scene_id",),
    columns={
        "scene_id": "str",
        # per scored output 1, 0, -1 = unknown. proximity: 155 = 31 distances x 5 sensors, index d * 5 + s;
        # classification: 1000 ImageNet classes
        "label": "int8s",
        "in_view": "bools",  # proximity: the sensor's cone at that distance lies inside the image; else true
    },
)

RESPONSES = Table(  # predict: what the network answered
    name="responses",
    version=1,
    key=("model", "scene_id"),
    columns={"model": "str", "scene_id": "str", "probability": "float32s"},  # as in LABELS
)

ANSWERS = Table(  # predict: a classifier's five most probable classes, per scene or picture
    name="answers",
    version=1,
    key=("model", "scene_id", "rank"),
    columns={
        "model": "str",
        "scene_id": "str",
        "rank": "int",  # 1 = most probable
        "output": "int",  # index of the class
        "answer": "str",  # its name
        "probability": "float",
        "is_right": "bool",  # a class that counts as right for the object; false without ground truth
    },
)

TAKEN_FOR = Table(  # predict: what classifiers name first, per condition with an object
    name="taken_for",
    version=1,
    has_factors=True,
    key=("model", "answer"),
    columns={
        "model": "str",
        "answer": "str",
        "is_right": "bool",
        "scenes": "int",  # in which it is named first
        "share": "float",  # of the condition's scenes
        "mean_probability": "float",  # where it is named first
    },
)

PREDICTIONS = Table(  # predict: task metrics, long
    name="predictions",
    version=1,
    key=("model", "cell_id", "metric"),
    columns={
        "model": "str",
        "cell_id": "str",
        "metric": "str",  # a name in audit.metrics.specs
        "value": "float",
        "undefined_reason": "str",  # empty when value is a number
    },
)

AUC = Table(  # predict: ROC-AUC per distance and sensor at the control condition; descriptive
    name="auc",
    version=1,
    has_factors=True,
    key=("model", "distance_cm", "sensor"),
    columns={
        "model": "str",
        "distance_cm": "int",
        "sensor": "str",
        "auc": "float",
        "ci_low": "float",
        "ci_high": "float",
        "interval": "str",
        "n1": "int",  # scenes in which the cell is occupied
        "n0": "int",
        "in_view": "float",  # share of scenes in which the cone lies inside the image
        "undefined_reason": "str",
    },
)

CONDITION_AUC = Table(  # predict: cell-stratified concordance of every condition with an object
    name="condition_auc",
    version=1,
    has_factors=True,
    key=("model",),
    columns={"model": "str", "auc": "float"},
)

PREPROCESSING = Table(  # preprocessing: the same scenes, fed otherwise
    name="preprocessing",
    version=1,
    key=("model", "variant", "pictures", "metric"),
    columns={
        "model": "str",
        "variant": "str",  # configured, channels=bgr, resize=area, normalisation=imagenet ...; two changes with a space
        # rendered; warm: where colours were drawn from all hues, the redder of picture and mirror, in light of 5000 K
        "pictures": "str",
        "metric": "str",  # cell_order, reciprocal_rank, or a name in audit.metrics.specs
        "is_judge": "bool",  # by this row the variant is judged; the others stand beside it
        "flipped": "float",  # share of decisions that differ from the configured, on the pictures as rendered
        "mean": "float",  # over blocks, of the block's mean over its scenes; auc: of all scenes together
        "difference": "float",  # to the configured, paired by block; positive = this one is better
        "ci_low": "float",  # 95 %, of this difference alone
        "ci_high": "float",
        "p": "float",  # one-sided; of rows that judge, after Holm over the variants that leave the channels alone
        "is_better": "bool",  # p at most .025, and the interval above 0
        "is_worse": "bool",
        "is_best": "bool",  # the variant to be used: the configured unless another is better
        "scenes": "int",
        "blocks": "int",  # in which the score is defined
        "setting": "str",  # what to write to have it: 'preprocessing.channels=bgr'
        "reason": "str",  # why there are no numbers
    },
)

PICTURES = Table(  # pictures without ground truth: what the network says, and how much the channel order matters
    name="pictures",
    version=1,
    key=("model", "picture"),
    columns={
        "model": "str",
        "picture": "str",
        "mean_output": "float",
        "mean_output_swapped": "float",  # the other channel order
        "mean_abs_difference": "float",
        "flipped": "float",  # share of decisions that change: of 31 x 5 at .5, or of the one class named first
    },
)

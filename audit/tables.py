"""The tables the audit hands over, stage by stage. `conditions`, `effects` and the like are also written as CSV."""

from __future__ import annotations

from collections.abc import Mapping

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

CONDITIONS = Table(  # analyse: per condition
    name="conditions",
    version=1,
    has_factors=True,
    key=("model", "metric", "method", "region"),
    columns={
        "model": "str",
        "metric": "str",
        "method": "str",  # '-' for task metrics
        "region": "str",  # '-' for task metrics
        "mean": "float",
        "ci_low": "float",
        "ci_high": "float",
        "interval": "str",  # t, bca, wilson, identical, none
        "n": "int",  # blocks rendered; factor `object`: a row per object, and `all`, the mean over objects
        "usable_n": "int",  # blocks where the metric is defined
        "in_recipe": "bool",  # inside the checkpoint's declared training recipe
        "chance": "float",
        "untrained": "float",  # the same on the network with randomised weights
    },
)

EFFECTS = Table(  # analyse: paired contrasts of levels, and pairs of levels, with their control
    name="effects",
    version=1,
    key=("model", "metric", "method", "region", "contrast"),
    columns={
        "model": "str",
        "metric": "str",
        "method": "str",
        "region": "str",
        "contrast": "str",  # 'light=back' or 'light=back & relation=equal', factors sorted
        "control": "str",  # 'light=front', or the level's partner; an object stays: 'light=key & object=lemon'
        "order": "int",  # 1 or 2 factors
        "finding_id": "str",  # F- and eight hex digits of hash(model name, metric, contrast)
        "level_mean": "float",
        "control_mean": "float",
        "effect": "float",  # positive = worse, in the metric's unit; mean over the cells of the other factors
        "ci_low": "float",
        "ci_high": "float",
        "simple_effect": "float",  # all other factors at control
        "simple_low": "float",
        "simple_high": "float",
        # pairs: over the sum of each level alone, the other at control; with an object: over the mean of the other
        # objects; NaN for singles
        "excess": "float",
        "excess_low": "float",
        "excess_high": "float",
        "margin": "float",  # delta of the criterion
        "test": "str",  # t, sign_flip, exact (binary outcomes), none
        "p": "float",
        "q": "float",  # false discovery; of a level on one object the family-wise p
        "n": "int",
        "usable_n": "int",
        "in_recipe": "bool",
        "is_failure": "bool",
        # why not judged, or, of a pair that is worse, the failure it says no more than; objects without usable blocks
        "reason": "str",
    },
)

INTERVENTIONS = Table(  # analyse: what the arms of a scene cause
    name="interventions",
    version=2,
    key=("model", "response", "effect", "relation", "light", "cast_shadow", "object"),
    columns={
        "model": "str",
        # proximity: scene_alarm, sensor_alarm; classification: target_probability, logit_margin; both: target_logit
        "response": "str",
        # arm_full, arm_object, arm_ghost, arm_empty; object, shadow, interaction, removal_object, removal_shadow, light
        # without the factor cast_shadow no object alone: arm_full, arm_ghost, arm_empty; shadow, removal_object,
        # removal_both (full - empty), light
        "effect": "str",
        "relation": "str",  # a level, or `all`: the mean over its levels; `-` where the design lacks the factor
        "light": "str",  # the same for this and the next two; levels that have no arms are left out
        "cast_shadow": "str",
        "object": "str",
        "mean": "float",
        "ci_low": "float",
        "ci_high": "float",
        "n": "int",
        "usable_n": "int",
    },
)

EARNED = Table(  # analyse: does a method's map rank scenes as the intervention does
    name="earned",
    version=2,
    key=("model", "method", "region"),
    columns={
        "model": "str",
        "method": "str",
        "region": "str",  # object, cast_shadow
        # what was attributed, and how: these four decide what the row is about
        "target": "str",  # as attribution.target
        "layer": "str",  # the target layer of methods that live on one, else input
        "reduction": "str",  # how channels became one map
        "through_standardisation": "bool",  # whether the gradient runs through a standardisation per image
        "rho": "float",  # Spearman, region share of the map with the region's intervention effect
        "rho_low": "float",
        "rho_high": "float",
        "best_null": "str",  # area, edges, gaussian, random, untrained
        "best_null_rho": "float",
        "gain": "float",  # rho - best_null_rho
        "gain_low": "float",
        "gain_high": "float",
        "earned": "bool",
        "scenes": "int",
        "blocks": "int",
        "reason": "str",
    },
)

FAILURES = Table(  # analyse: failure conditions, worst first
    name="failures",
    version=1,
    key=("model", "finding_id"),
    columns={
        "model": "str",
        "finding_id": "str",
        "rank": "int",  # 1 = worst, within the model; only the order of display where not ranked
        "metric": "str",
        "method": "str",
        "condition": "str",  # the contrast
        "control": "str",
        "effect": "float",
        "ci_low": "float",
        "ci_high": "float",
        "q": "float",
        "level_mean": "float",
        "control_mean": "float",
        "usable_n": "int",
        "severity": "float",  # lower confidence bound over margin
        "expected": "bool",  # a level of the condition lies outside the checkpoint's training recipe
        "ranked": "bool",  # false when the model is unfit at control
        "example_blocks": "str",  # block ids, worst first, space separated, six at most
        "sentence": "str",
        "reproduce": "str",
    },
)

GATE_VALUES = Table(  # analyse: what the gates of a comparison are about, of this run alone; history is made of it
    name="gate_values",
    version=1,
    key=("model", "kind", "metric", "where"),
    columns={
        "model": "str",
        "kind": "str",  # overall, intervention, place, condition, attention
        "metric": "str",  # a name in audit.metrics.specs, or object_effect, shadow_effect
        "where": "str",  # of a place the sensor or object, of a condition the contrast; else empty
        "mean": "float",  # over blocks, of several objects over objects
        "ci_low": "float",
        "ci_high": "float",
        "n": "int",  # usable blocks
        "is_lower_better": "bool",
        "is_failure": "bool",  # of a condition: it is a failure condition of this run
    },
)

GATES = Table(  # compare: candidate against baseline, gate by gate; positive differences = the candidate is worse
    name="gates",
    version=1,
    key=("model", "kind", "metric", "where"),
    columns={
        "model": "str",
        # overall, matched (both at equal false alarms), intervention, place, condition: gates. attention: beside them
        "kind": "str",
        "metric": "str",
        "where": "str",
        "is_gate": "bool",  # false for attention, which informs
        "is_required": "bool",  # must pass for the verdict to be pass; the other gates can only raise an alarm
        "baseline": "float",  # mean over blocks
        "candidate": "float",
        "difference": "float",  # positive = worse
        "ci_low": "float",  # 95 %
        "ci_high": "float",
        "margin": "float",
        "p": "float",  # one-sided, of: worse by no more than the margin
        "p_holm": "float",  # over all gates of the comparison
        "p_pass": "float",  # one-sided, of: worse by the margin or more
        "detectable": "float",  # smallest worsening that would be called a regression with the configured power
        "n": "int",  # blocks with a value in both
        "verdict": "str",  # pass, regression, inconclusive; of attention empty
        "note": "str",  # identical, improved, worse within the margin; or why it is inconclusive
        "fresh_difference": "float",  # the same on fresh scene seeds, where an alarm was tried again; else NaN
        "fresh_low": "float",
        "fresh_high": "float",
        "fresh_p": "float",  # after Holm over the alarms
        "confirmed": "str",  # confirmed, not confirmed (refuted), undecided, not tried; empty without an alarm
    },
)

FINDING_STATES = Table(  # compare: failure conditions of both runs
    name="finding_states",
    version=1,
    key=("model", "finding_id"),
    columns={
        "model": "str",
        "finding_id": "str",
        "state": "str",  # new, persisting, fixed, not covered
        "metric": "str",
        "condition": "str",
        "baseline_effect": "float",  # against the condition's control, positive = worse; NaN where not judged
        "baseline_low": "float",
        "baseline_high": "float",
        "candidate_effect": "float",
        "candidate_low": "float",
        "candidate_high": "float",
        "sentence": "str",  # the candidate's where it has one, else the baseline's
        "reason": "str",  # of what is not covered: by whom, and why
        "reproduce": "str",
    },
)

_SERIES: Mapping[str, str] = {  # of HISTORY and DEVELOPMENT: a gate of GATE_VALUES at one checkpoint
    "model": "str",
    "kind": "str",
    "metric": "str",
    "where": "str",
    "position": "int",  # 0 = the first checkpoint
    "name": "str",  # what the checkpoint is called: the first 8 digits of its sha256, or the epoch
    "run_id": "str",
    "mean": "float",
    "ci_low": "float",
    "ci_high": "float",
    "n": "int",
    "is_lower_better": "bool",
    "is_failure": "bool",
}

HISTORY = Table(  # history: each gate over the checkpoints that were audited on the same scenes with the same settings
    name="history",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    # checkpoint: its file; created: of the run, which is the newest of this checkpoint
    columns={**_SERIES, "created": "str", "checkpoint": "str", "sha256": "str"},
)

STEPS = Table(  # history: where a gate's level changed for good
    name="steps",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    columns={
        "model": "str",
        "kind": "str",
        "metric": "str",
        "where": "str",
        "position": "int",  # of the first checkpoint after the step
        "before": "float",  # level of the stretch before, weighted by the checkpoints' precision
        "after": "float",
        "size": "float",  # of the step, in standard errors of one checkpoint
        "is_better": "bool",
    },
)

EPOCHS = Table(  # epochs: the checkpoints of one training, in their order
    name="epochs",
    version=1,
    key=("position",),
    columns={
        "position": "int",
        "name": "str",
        "file": "str",
        "sha256": "str",
        "run_id": "str",  # empty where it could not be audited
        "verdict": "str",
        "reason": "str",  # why it could not be audited
    },
)

DEVELOPMENT = Table(  # epochs: each gate over the checkpoints of one training
    name="development",
    version=1,
    key=("model", "kind", "metric", "where", "position"),
    # of a condition, against its control, positive = worse; else NaN
    columns={**_SERIES, "effect": "float", "effect_low": "float", "effect_high": "float"},
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

ALL = (  # in the order of the stages
    *(LABELS, RESPONSES, ANSWERS, PREDICTIONS, TAKEN_FOR, AUC, CONDITION_AUC, PREPROCESSING),
    *(ATTENTION, SENSOR_ATTENTION, SANITY, SANITY_VERDICT, CROPS, PICTURES),
    *(CONDITIONS, EFFECTS, INTERVENTIONS, EARNED, FAILURES, GATE_VALUES),
)

"""Tables: what the analysis makes of the answers and maps of one run."""

from __future__ import annotations

from scenes.table import Table

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
        "metric": "str",  # a name in audit.metrics.specs, or or of an effect in audit.metrics.effect_specs
        "where": "str",  # of a place the sensor or object, of a condition the contrast; else empty
        "mean": "float",  # over blocks, of several objects over objects
        "ci_low": "float",
        "ci_high": "float",
        "n": "int",  # usable blocks
        "is_lower_better": "bool",
        "is_failure": "bool",  # of a condition: it is a failure condition of this run
    },
)

"""The page's words: what a metric, method, source or reason is called, and how its number is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.metrics.effect_specs import EFFECT_SPECS
from audit.metrics.specs import SPECS, is_percent
from scenes.assets import ASSETS

CLASSIFICATION = "classification"  # the task whose answers are named classes
TRUTH = "truth"  # the target of attribution that is what is true of a scene

METHODS: Mapping[str, str] = {
    "hires_cam": "HiResCAM",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "xgrad_cam": "XGrad-CAM",
    "layer_cam": "Layer-CAM",
    "cam": "CAM",
    "eigen_cam": "Eigen-CAM",
    "score_cam": "Score-CAM",
    "ablation_cam": "Ablation-CAM",
    "full_grad": "FullGrad",
    "saliency": "saliency",
    "saliency_sum": "saliency, summed",
    "saliency_signed": "saliency, signed",
    "input_x_gradient": "input x gradient",
    "guided_backprop": "guided backpropagation",
    "deconvnet": "deconvolution",
    "guided_grad_cam": "guided Grad-CAM",
    "integrated_gradients": "integrated gradients",
    "smooth_grad": "SmoothGrad",
    "occlusion": "occlusion",
    "rise": "RISE",
    "attention_rollout": "attention rollout",
    "-": "no network",
}
SOURCES: Mapping[str, str] = {
    "model": "this model",
    "untrained": "untrained network",
    "edges": "edge map",
    "gaussian": "centred Gaussian",
    "random": "random map",
    "ceiling": "ceiling",
    "area": "region area",
}
REGIONS: Mapping[str, str] = {
    "object": "object",
    "cast_shadow": "cast shadow",
    "outside_shadow": "shadow from outside the frame",
    "reflection": "reflection in the floor",
    "distractors": "distractors and their shadow",
    "floor": "floor",
    "background": "background",
    "-": "",
}
REASONS: Mapping[str, str] = {  # reasons of audit.metrics, in words
    "no_occupied_sensor": "no occupied sensor",
    "no_clear_sensor": "no clear sensor",
    "no_known_cell": "no known cell",
    "no_positive": "no true obstacle within 30 cm, so no target",
    "nan_output": "the network's output is not a number",
    "nan_map": "the map is not a number",
    "zero_map": "the map has no positive part",
    "empty_region": "the region is not in the picture",
    "full_region": "the region is the whole picture",
    "one_class": "no obstacle there, or always one",
    "no_object": "no object in the picture, so no class is right",
    "no_other_class": "every class counts as right",
    "no_difference": "replacing the whole picture changes nothing",
}
_OF_CLASSIFIERS: Mapping[str, str] = {"no_positive": "no class is right for it, so no target"}
SETS: Mapping[str, tuple[str, str]] = {  # scene set -> (heading of its part of the page, short name)
    "tabletop": ("The robot's proximity sensors, on the tabletop", "Tabletop"),
    "studio": ("ImageNet classifiers, in the studio", "Studio"),
}
VERDICTS: Mapping[str, tuple[str, str]] = {  # verdict -> (css class, icon id)
    "no failure found": ("good", "icon-pass"),
    "failures found": ("bad", "icon-fail"),
    "unfit at control": ("bad", "icon-unfit"),
    "insufficient coverage": ("warn", "icon-warn"),
}
_AS_WELL = " does as well"  # how the reason ends that names a null
SENSORS = ("left", "centre left", "centre", "centre right", "right")


@dataclass(frozen=True)
class Metric:
    """How one metric is shown. percent: its numbers are shares of 1, printed as percent."""

    name: str
    title: str
    percent: bool
    lower_is_better: bool
    sentence: str
    undefined_when: str


def metric(name: str) -> Metric:
    """The words for a metric; a name without a spec is shown as it stands."""
    spec = SPECS.get(name)
    if name in EFFECT_SPECS:
        effect = EFFECT_SPECS[name]
        return Metric(name, effect.title, True, effect.is_lower_better, effect.sentence, "")
    if spec is None:
        return Metric(name, name.replace("_", " "), True, True, "", "")
    task = CLASSIFICATION if spec.tasks == (CLASSIFICATION,) else ""
    why = " or ".join(reason(w, task) for w in spec.undefined_when)
    return Metric(name, spec.title, is_percent(name), spec.direction != "higher_is_better", spec.sentence, why)


def scene_set(name: str) -> tuple[str, str]:
    """The heading of a scene set's part of the page, and its short name."""
    return SETS.get(name, (f"Scene set {name}", name))


def thing(name: str) -> str:
    """What a sentence calls an object of the studio: 'granny_smith' -> 'Granny Smith'."""
    return ASSETS[name].title if name in ASSETS else name.replace("_", " ")


def block(name: str) -> str:
    """'3' -> 'block 3'; 'lemon.3' -> 'lemon, pose 3'."""
    of, _, number = name.rpartition(".")
    return f"{thing(of)}, pose {number}" if of else f"block {number}"


def capital(text: str) -> str:
    """The text with its first letter capital, the others as they are."""
    return text[:1].upper() + text[1:]


def method(name: str) -> str:
    return METHODS.get(name, name.replace("_", "-"))


def source(name: str) -> str:
    return SOURCES.get(name, name.replace("_", " "))


def region(name: str) -> str:
    return REGIONS.get(name, name.replace("_", " "))


def reason(name: str, task: str = "") -> str:
    """A machine's reason as words: 'zero_map' -> 'the map has no positive part'; others without underscores."""
    if task == CLASSIFICATION and name in _OF_CLASSIFIERS:
        return _OF_CLASSIFIERS[name]
    return REASONS.get(name, name.replace("_", " ")) if name else "no reason recorded"


def why_not_earned(recorded: str) -> str:
    """The earned table's reason with the null's name as readers know it: 'edges does as well' -> 'edge map ...'."""
    text = recorded.removeprefix("not earned: ") or "no reason recorded"
    null = text.removesuffix(_AS_WELL)
    return text if null == text else f"{source(null)}{_AS_WELL}"


def target(config: Mapping[str, Any]) -> str:
    """The target of attribution that a run was configured with."""
    return str((config.get("attribution") or {}).get("target") or TRUTH)


def attributed(target: str, task: str = "") -> str:
    """What maps of a configured target are of, to be read after 'maps of'; unknown names as they stand."""
    kind, _, of = target.partition(":")
    named = of.replace("_", " ")
    centimetres, _, sensor = named.partition("/")
    of_classes, of_cells = "the logits of the right classes", "the summed logits of the truly occupied cells"
    return {
        TRUTH: of_classes if task == CLASSIFICATION else of_cells,
        "predicted": "the largest logit of each picture",
        "runner_up": "the second largest logit of each picture",
        "sum": "the sum of all logits",
        "output": f"the logit of output {of}",
        "class": f"the logit of the class ‘{named}’",
        "sensor": f"the summed logits of the {named} sensor",
        "distance": f"the summed logits of the sensors at {centimetres} cm of travel",
        "cell": f"the logit of the {sensor} sensor at {centimetres} cm of travel",
    }.get(kind, f"target {target}")


def condition(levels: Mapping[str, str]) -> str:
    """{'light': 'back', 'relation': 'equal'} -> 'light=back & relation=equal', factors sorted."""
    return " & ".join(f"{f}={v}" for f, v in sorted(levels.items()))

"""The help: examples first, then verbs, the parts one can choose, and every setting with its default and its comment.

Nothing here is written twice: parts come from the first comment of their files, settings from `audit.config`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audit import composition, constraints, schema
from audit.config import AssetConfig
from scenes.assets import ASSETS
from scenes.factors import REGISTRY

WIDTH = 118

_EXAMPLES = (
    ("run", "audit the proximity network that comes with this, and two ImageNet classifiers, on the default designs"),
    ("run experiment=smoke", "the whole way in under a minute, proximity network alone"),
    ("run model=proximity model.checkpoint=mine.safetensors", "your own weights for it"),
    ("run design=studio model=torchvision model.architecture=vgg16", "any classifier of torchvision"),
    ("run design=tabletop model=user model.architecture=my_package.build model.checkpoint=mine.pt", "your own network"),
    ("run experiment=imagenet_objects model=resnet18", "all objects of the studio"),
    ("run experiment=smoke 'design.keep.light=[back]' 'design.keep.seeds=[0,3]'", "a closer look at some scenes"),
    ("plan designs.studio.samples=64", "what a run would render, without doing it"),
    ("report outputs/latest", "write the page of a run again"),
    ("regress checkpoint=mine.safetensors", "a new checkpoint against the accepted baseline and the one before"),
    ("watch checkpoints_dir=checkpoints once=true", "the same of every checkpoint in a folder that was not judged yet"),
    (
        'accept latest as golden reason="first release"',
        "the newest run is what checkpoints are held against from now on",
    ),
    ("epochs folder=training model=proximity", "how a network developed from epoch to epoch"),
)

_VERBS = (
    ("run", "render, predict, attribute, measure, analyse, report; goes on where an earlier one stopped"),
    ("plan", "what `run` would do: scenes, what the store has already, time and disk"),
    ("render", "only fill the store"),
    ("show SCENE", "a scene of the store to look at: picture, ground truth, spec, and a .blend that renders it"),
    ("verify", "render a sample again and compare with the store, byte by byte"),
    (
        "preprocessing",
        "whether each model is fed what it was trained on: the same scenes with other channel order and so on",
    ),
    ("train", "render training scenes, train the proximity network, write checkpoint and card"),
    ("bench noise", "how far answers at the design's samples lie from those at many samples, per condition"),
    ("bench render", "scenes per second, where the time goes, beside plainer ways; noise floor and bias"),
    ("bench assets", "whether classifiers know the studio's objects, seen plainly"),
    ("sanity", "which methods' maps stay as they are when the weights are randomised, layer after layer"),
    ("report [RUN]", "write the page of a run again; without RUN the latest"),
    (
        "compare",
        "hold candidate=RUN|CHECKPOINT against baseline=RUN|NAME|CHECKPOINT, gate by gate, on the same pictures",
    ),
    (
        "regress",
        "audit checkpoint=FILE, hold it against the golden baseline and the checkpoint before; known ones are told",
    ),
    ("watch", "regress every checkpoint that comes into checkpoints_dir=DIR; once=true: those that are there"),
    ("accept RUN as NAME", 'make a run a baseline: reason="..." is kept with it, and what it replaces'),
    ("history", "each gate over the checkpoints audited so far, with its steps; model=NAME for one model alone"),
    ("epochs", "audit every checkpoint of folder=DIR, and show how gates and failure conditions developed over them"),
    (
        "selftest",
        "plant faults in the configured model and see whether a comparison notices each and names it",
    ),
    ("doctor", "what this machine has and lacks, with the remedy"),
    ("help", "this"),
)

_FLAGS = (
    ("--config-dir DIR", "look for parts in DIR too, laid out like hydra_configs/"),
    ("--debug", "print the traceback of every error"),
    ("--version", "print the version"),
)

_EXIT_CODES = (
    ("0", "done, whatever was found"),
    ("1", "internal error; the traceback is in the file that is named; selftest: a fault was not noticed"),
    ("2", "a setting, model, checkpoint or folder that cannot be used"),
    ("3", "compare, regress, watch: a regression; verify: a scene is not what this machine renders now"),
    (
        "4",
        "the same: inconclusive, where comparison.inconclusive=fail, or an alarm that fresh scenes neither confirm nor"
        " refute or that could not be tried on them",
    ),
    (
        "5",
        "fewer scenes could be rendered and used than criterion.min_coverage asks; compare, regress, watch: in either"
        " run, and nothing worse was found",
    ),
    ("130", "interrupted; the same command goes on"),
)


def lines(program: str, config_dir: Path | None = None) -> Iterator[str]:
    """The help, line by line; `program` is how the command line is called. Raises ConfigError as `groups` does."""
    available = composition.groups(config_dir)
    yield f"{program} VERB key=value ..."
    yield "Finds the conditions under which a vision model fails, on rendered scenes that differ in one thing only."
    yield ""
    yield "examples"
    for arguments, meaning in _EXAMPLES:
        yield f"  # {meaning}"
        yield f"  {program} {arguments}"
    for heading, rows in (("verbs", _VERBS), ("flags", _FLAGS), ("exit codes", _EXIT_CODES)):
        yield ""
        yield heading
        for left, right in rows:
            yield from _row(left, right, 18)
    yield ""
    yield "parts: PART=NAME; model=[NAME,NAME] and design=[NAME,NAME] for several"
    for group, options in sorted(available.items()):
        for name, headline in sorted(options.items()):
            yield from _row(f"{group}={name}", headline, 30)
    yield ""
    yield "factors and their levels: design.factors.FACTOR=[LEVEL,LEVEL], design.keep.FACTOR=[LEVEL]; those of presence"
    yield "come with design.arms"
    for scene_set, factors in REGISTRY.items():
        for factor in factors.values():
            partners: Mapping[str, str] = getattr(factor, "PARTNERS", {})
            for level, meaning in factor.LEVELS.items():
                beside = f"; compared with {partners[level]}" if level in partners else ""
                yield from _row(f"{scene_set}, {factor.NAME}: {level}", meaning + beside, 40)
    yield ""
    yield "objects of the studio: design.objects=[OBJECT,OBJECT], design.keep.object=[OBJECT]"
    yield from (f"  {line}" for line in textwrap.wrap(", ".join(sorted(ASSETS)), WIDTH - 2))
    yield ""
    yield "an object of your own: NAME among design.objects, and of it path and classes at least; scripts never run"
    for key, comment in schema.fields(AssetConfig, "design.assets.NAME."):
        default = getattr(AssetConfig(), key.rpartition(".")[2])
        yield from _row(f"{key}={_inline(default)}", _note(key.replace("NAME", "*"), comment), 46)
    yield ""
    yield "settings: KEY=VALUE, here with their defaults; model.KEY means the only model, else models.NAME.KEY;"
    yield "design.KEY the only design, else designs.SCENE_SET.KEY"
    values = composition.defaults()
    for key, comment in schema.fields():
        if key not in ("experiment", "model.name"):
            yield from _row(f"{key}={_default(values, key)}", _note(key, comment), 46)


def _row(left: str, right: str, column: int) -> Iterator[str]:
    """`left`, and `right` wrapped from `column` on, beginning on a line of its own where `left` is too long."""
    wrapped = textwrap.wrap(right, WIDTH - column - 2)
    if len(left) >= column or not wrapped:
        yield f"  {left}"
    else:
        yield f"  {left.ljust(column)}{wrapped.pop(0)}"
    for line in wrapped:
        yield f"  {'':{column}}{line}"


def _note(key: str, comment: str) -> str:
    """The comment of a setting with its range, and with its choices where the comment does not name them."""
    group, _, rest = key.partition(".")
    pattern = f"{group}s.*.{rest}" if group in ("model", "design") else key
    choices = constraints.CHOICES.get(pattern, ())
    allowed = str(constraints.RANGES.get(pattern, "")) or ", ".join(c for c in choices if c not in comment)
    return f"{comment} [{allowed}]" if comment and allowed else comment or allowed


def _default(values: Mapping[str, Any], key: str) -> str:
    found: Any = values
    parts = key.split(".")
    if parts[0] in ("model", "design"):
        found, parts = next(iter(values[f"{parts[0]}s"].values())), parts[1:]
    for part in parts:
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        return "{" + ", ".join(f"{k}: {_inline(v)}" for k, v in found.items()) + "}"
    return _inline(found)


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(_inline(v) for v in value) + "]"
    return schema.show(value)

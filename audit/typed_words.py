"""What is typed for a configuration that was not typed: runs that a comparison or a watch made can be made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import yaml

from audit.composition import compose, groups
from audit.config import AuditConfig
from audit.schema import ConfigError

_NOT_TYPED = ("experiment", "paths", "renderer", "comparison", "training")  # what changes no table of a run
_MISSING = object()


def typed_words(config: AuditConfig) -> list[str]:
    """Words that compose to this configuration, but for folders and what changes no result: its experiment, its models,
    and each setting in which it differs. Of a model or design of the user's own files, what can be said without them.
    """
    available = groups()
    is_named = config.experiment in available["experiment"] and config.experiment != AuditConfig.experiment
    words = [f"experiment={config.experiment}"] if is_named else []
    wanted = [name for name in config.models if name in available["model"]]
    if wanted and set(wanted) != set(compose(words).models):
        words.append(f"model=[{','.join(wanted)}]" if len(wanted) > 1 else f"model={wanted[0]}")
    try:
        before = dict(_leaves(asdict(compose(words))))
    except ConfigError:
        return words
    now = dict(_leaves(asdict(config)))
    changed = {key: value for key, value in now.items() if before.get(key, _MISSING) != value}
    gone = [f"~{key}" for key in before if key not in now]
    return [*words, *gone, *(f"{key}={_text(value)}" for key, value in changed.items())]


def _leaves(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        if not prefix and name in _NOT_TYPED:
            continue
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _text(value: object) -> str:
    """In YAML on one line, as settings are read."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=10_000)).removesuffix("\n...\n").strip()

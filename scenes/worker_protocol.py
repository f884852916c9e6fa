"""What a render worker and its owner say to each other: one JSON object a line, over the worker's stdin and a pipe.

This module imports nothing of Blender, so the owner can use it without drawing bpy in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """Render one scene and put it into the store; with_shadow: its shadow, reflection and the like too."""

    scene_id: str
    spec: dict[str, Any]  # scene_spec.to_plain
    with_shadow: bool


@dataclass(frozen=True)
class Reply:
    """What became of a job. seconds: spent on it; memory: bytes the worker holds.

    kind: ready (once, at start); done; found (somebody else had rendered it by then); claimed (another process renders
    it now); failed (the scene cannot be rendered); unwritable (the store cannot be written). What never comes from a
    worker, but from its owner: lost (it died, hung, or took too much memory).
    """

    kind: str
    scene_id: str = ""
    reason: str = ""
    seconds: float = 0.0
    memory: int = 0


def encode(message: Job | Reply) -> bytes:
    return json.dumps(asdict(message), separators=(",", ":")).encode() + b"\n"


def decode_job(line: bytes) -> Job:
    return Job(**json.loads(line))


def decode_reply(line: bytes) -> Reply:
    """The reply on a line. Raises ValueError where it is none."""
    try:
        return Reply(**json.loads(line))
    except TypeError as error:
        raise ValueError(f"no reply: {line[:80]!r}") from error

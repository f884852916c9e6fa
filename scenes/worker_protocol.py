"""What a render worker and its owner say to each other: one JSON object a line, over the worker's stdin and a pipe.

This module imports nothing of Blender, so the owner can use it without drawing bpy in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """Render one scene and put it into the store. products: 'image' always, 'shadow' when its truth is wanted."""

    scene_id: str
    spec: dict[str, Any]  # scene_spec.to_plain
    with_shadow: bool


@dataclass(frozen=True)
class Reply:
    """kind: ready (once, at start), done, failed. memory: bytes the worker holds."""

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
    return Reply(**json.loads(line))

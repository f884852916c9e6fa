"""Both kinds of network go one way: beyond models and scenes nothing asks which of them it has before it."""

from __future__ import annotations

import ast
from pathlib import Path

from audit.config import SCENE_SETS

WORDS = {*SCENE_SETS, *SCENE_SETS.values()}
SHARED = ("audit/pipeline.py", "audit/stages", "audit/analysis", "audit/attribution")
# what a check measures on the tabletop needs the robot
ALLOWED = {"audit/stages/rendering.py"}


def questions(text: str) -> list[str]:
    """The comparisons in this source with the name of a task or a scene set, `match` included."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Compare | ast.MatchValue)
        and any(isinstance(inner, ast.Constant) and inner.value in WORDS for inner in ast.walk(node))
    ]


def test_stages_and_analysis_do_not_ask_which_task_they_serve(root: Path) -> None:
    files = [f for place in SHARED for f in ([root / place] if place.endswith(".py") else (root / place).rglob("*.py"))]
    assert len(files) > 20
    found = {str(f.relative_to(root)) for f in files if questions(f.read_text("utf-8"))}
    assert found == ALLOWED


def test_such_a_question_would_be_seen() -> None:
    assert questions("if task.name == 'classification': pass")
    assert questions("if scene_set in ('studio', 'pictures'): pass")
    assert questions("match task:\n    case 'proximity': pass")
    assert not questions("task = 'proximity'")

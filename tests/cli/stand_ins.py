"""Stand-ins for the stages that verbs call: what they were asked is kept, what they do is set by the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.config import AuditConfig
from scenes.store import Store


@dataclass
class Stages:
    """Stand-ins for audit.pipeline, audit.estimate, audit.training and reports."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    exit_code: int = 0
    error: BaseException | None = None
    lines: list[str] = field(default_factory=lambda: ["verdict   no failure found"])

    def _do(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def run(self, config: AuditConfig, command: str, finish: Callable[[Path], None] | None = None) -> Any:
        self._do("run", config, command)
        if finish is not None:
            finish(Path("working"))

        @dataclass
        class Outcome:
            exit_code: int = self.exit_code
            run_dir: Path = Path("outputs/run")
            summary_lines: list[str] = field(default_factory=lambda: self.lines)

        return Outcome()

    def plan(self, config: AuditConfig) -> list[str]:
        self._do("plan", config)
        return ["3 scenes", "2 in the store"]

    def render(self, config: AuditConfig) -> int:
        self._do("render", config)
        return self.exit_code

    def train(self, config: AuditConfig) -> int:
        self._do("train", config)
        return self.exit_code

    def write_scene(self, store: Store, scene_id: str, folder: Path) -> list[str]:
        self._do("write_scene", store, scene_id, folder)
        return [f"picture   {folder / 'picture.png'}"]

    def keep_history(self, folder: Path, outputs: Path) -> None:
        self._do("keep_history", folder, outputs)

    def write_report(self, run_dir: Path, store_root: Path) -> Path:
        self._do("write_report", run_dir, store_root)
        return run_dir / "report" / "index.html"

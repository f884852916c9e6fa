"""What was typed, taken apart; and what every verb checks before it does any work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.composition import ConfigError, compose
from audit.config import AuditConfig

OK, INTERNAL, USAGE, DIFFERS, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass(frozen=True)
class Request:
    """What was typed, taken apart. `command` is the whole of it, for the report."""

    verb: str
    arguments: tuple[str, ...]
    config_dir: Path | None
    program: str
    command: str

    def config(self) -> AuditConfig:
        return self.composed(self.arguments)

    def composed(self, settings: Sequence[str]) -> AuditConfig:
        """Some of what was typed, as a configuration."""
        return compose(settings, self.config_dir)


Verb = Callable[[Request], int]  # the exit code


def check_writable(config: AuditConfig, *keys: str) -> None:
    """Make the folders and write into them, before any work is done. Raises ConfigError with the key and the reason."""
    for key in keys:
        group, name = key.split(".")
        path = Path(getattr(getattr(config, group), name))
        folder = path.parent if key == "training.checkpoint" else path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"{key}={path}: cannot be written ({reason}); choose another folder with {key}=..."
            ) from error

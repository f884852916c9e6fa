"""The verbs of regression runs, without the terminal: from what was typed to the lines to print and the exit code."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.config import AuditConfig
from audit.regression.auditing import Auditor
from audit.regression.outcome import WritePage, gate_table, judge, summary_lines, verdict_record, write_outcome
from audit.regression.sides import sides
from audit.schema import ConfigError

Composer = Callable[[Sequence[str]], AuditConfig]  # overrides -> configuration
SUITE = "regression"  # the experiment of these verbs, unless another is typed


@dataclass(frozen=True)
class Words:
    """What was typed after a verb, taken apart: the verb's own words, and the settings."""

    own: dict[str, str]
    settings: tuple[str, ...]

    def needed(self, name: str, example: str) -> str:
        """Raises ConfigError where the word is not there."""
        if not self.own.get(name):
            typed = difflib.get_close_matches(name, [s.partition("=")[0] for s in self.settings], 1)
            hint = f"; {typed[0]}= is none of its words" if typed else ""
            raise ConfigError(f"{name}= is missing: {example}{hint}")
        return self.own[name]

    @property
    def model(self) -> str | None:
        """The model that was typed, where that is one alone."""
        typed = [s.partition("=")[2].strip("[]") for s in self.settings if s.startswith("model=")]
        return typed[-1] if typed and "," not in typed[-1] else None


def taken_apart(arguments: Iterable[str], own: Sequence[str], bare: int = 0) -> Words:
    """Words of a verb: `own` are key=value words that are its own, the others are settings; up to `bare` words without
    `=` are kept under '0', '1', .... confirm= stands for comparison.confirm=, and the experiment is the standing suite
    unless one is typed. Raises ConfigError."""
    found: dict[str, str] = {}
    settings: list[str] = []
    words = 0
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals and words < bare:
            found[str(words)] = argument
            words += 1
        elif key in own and equals:
            found[key] = value
        elif key == "confirm":
            settings.append(f"comparison.confirm={value}")
        else:
            settings.append(argument)
    if not any(s.startswith("experiment=") for s in settings):
        settings.insert(0, f"experiment={SUITE}")
    return Words(found, tuple(settings))


def compare(
    arguments: Sequence[str], compose: Composer, auditor: Auditor, write_page: WritePage | None
) -> tuple[list[str], int]:
    """`compare baseline=RUN|CHECKPOINT candidate=RUN|CHECKPOINT [confirm=false] [key=value ...]`."""
    words = taken_apart(arguments, ("baseline", "candidate"))
    example = "compare baseline=RUN|CHECKPOINT candidate=RUN|CHECKPOINT"
    names = [words.needed(side, example) for side in ("baseline", "candidate")]
    config = compose(words.settings)
    baseline, candidate = sides(names[0], names[1], config, words.model, auditor)
    outcome = judge(baseline, candidate, config, auditor)
    folder = write_outcome(outcome, Path(config.paths.outputs), write_page)
    table = gate_table(outcome)
    return summary_lines(verdict_record(outcome, table, folder.name), table, folder), outcome.exit_code

"""The verb `selftest`: a line per fault, and whether the comparison noticed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from audit.config import AuditConfig
from audit.regression.auditing import only_model
from audit.regression.selftest import self_test
from audit.regression.verbs import Composer, taken_apart

FAILED = 1


def settings_of(arguments: Sequence[str], compose: Composer) -> AuditConfig:
    """The configuration of the self-test: the standing suite and the shipped network unless others are typed."""
    return compose(taken_apart(arguments, ()).settings)


def selftest(arguments: Sequence[str], compose: Composer, say: Callable[[str], None]) -> int:
    """`selftest [key=value ...]`: 0 where every fault that could be made was found for what it is, else 1."""
    words = taken_apart(arguments, ())
    config = compose(words.settings)
    model = only_model(config, words.model)
    missed = []
    for result in self_test(config, model, lambda line: print(line, file=sys.stderr)):
        say(result.line)
        if not result.is_as_expected:
            missed.append(result)
    say(f"self-test {'passed' if not missed else 'failed: ' + ', '.join(r.fault for r in missed)}")
    return FAILED if missed else 0

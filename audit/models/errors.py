"""What can be wrong with a model that was asked for, said in one line with the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ModelError(ValueError):
    """A model, checkpoint or device that cannot be used. The message is one clear line that names the remedy."""


class WeightsUnavailable(ModelError):
    """Published weights that are not here and cannot be fetched: the model can be left out of a run, saying why.

    reason: one clause. url: where they are. remedy: what to do, naming the setting.
    """

    def __init__(self, name: str, reason: str, url: str, remedy: str) -> None:
        super().__init__(f"model {name}: {reason} ({url}); {remedy}")
        self.name = name
        self.reason = reason
        self.url = url
        self.remedy = remedy


def nearest(name: str, known: Iterable[str], most: int = 3) -> str:
    """The known names closest to `name`, as 'did you mean a or b?', or all of them where none is close."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=most, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return "there are none"
    return f"known: {shortened(names)}"


def shortened(items: Iterable[object], most: int = 8) -> str:
    """The items separated by commas, the tail of a long list replaced by its count."""
    texts = [str(item) for item in items]
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"

"""Which of the methods that were asked for each network allows, found out before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.attribution.engine import AttributionError, method_named, refusal
from audit.attribution.methods import METHODS
from audit.models.adapter import Adapter
from audit.models.errors import shortened


def left_out(methods: Sequence[str], adapters: Mapping[str, Adapter]) -> dict[str, dict[str, str]]:
    """Model -> method -> why it has none, of the models that do not allow all of `methods`.

    Each network is asked about one picture, by each method anew. Raises AttributionError for a method that does
    not exist and for a network that allows none of them.
    """
    for method in methods:
        method_named(method)
    found = {name: {m: why for m in methods if (why := refusal(adapter, m))} for name, adapter in adapters.items()}
    for name, refused in found.items():
        if refused and len(refused) == len(set(methods)):
            raise AttributionError(_nothing_left(name, refused, adapters[name]))
    return {name: refused for name, refused in found.items() if refused}


def _nothing_left(name: str, refused: Mapping[str, str], adapter: Adapter) -> str:
    first, why = next(iter(refused.items()))
    others = f"; nor does it allow {shortened(list(refused)[1:])}" if len(refused) > 1 else ""
    instead = next((m for m in METHODS if not refusal(adapter, m)), "")
    remedy = f"; attribution.methods=[{instead}] would do" if instead else ""
    return f"attribution method {first}: model {name} does not allow it, since it {why}{others}{remedy}"

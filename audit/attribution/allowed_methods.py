"""Which of the methods that were asked for each network allows, found out before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.attribution.engine import AttributionError, method_named, refusal
from audit.attribution.methods import METHODS
from audit.models.adapter import Adapter


def left_out(methods: Sequence[str], adapters: Mapping[str, Adapter]) -> dict[str, dict[str, str]]:
    """Model -> method -> why it has none, of the models that do not allow all of `methods`.

    Each network is asked at most once about one picture per method. Raises AttributionError for a method that does
    not exist and for one that no network allows: nobody would see a map of it.
    """
    for method in methods:
        method_named(method)
    reasons = {name: {m: why for m in methods if (why := refusal(adapter, m))} for name, adapter in adapters.items()}
    for method in methods:
        if adapters and all(method in refused for refused in reasons.values()):
            raise AttributionError(_by_none(method, reasons, methods))
    return {name: refused for name, refused in reasons.items() if refused}


def _by_none(method: str, reasons: Mapping[str, Mapping[str, str]], methods: Sequence[str]) -> str:
    said = dict.fromkeys(refused[method] for refused in reasons.values())
    who = "no model allows it" if len(reasons) > 1 else f"model {next(iter(reasons))} does not allow it"
    kept = [m for m in methods if not all(m in refused for refused in reasons.values())]
    instead = kept or [m for m in METHODS if not any(m in refused for refused in reasons.values())][:1]
    remedy = f"; leave it out, attribution.methods=[{','.join(instead)}]" if instead else ""
    return f"attribution method {method}: {who}, since it {' or '.join(said)}{remedy}"

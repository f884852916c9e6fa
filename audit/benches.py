"""What can be measured: `bench SUBJECT`, each a function from the configuration to the lines it prints.

Subjects import what they need when they are called, as verbs do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from audit.config import AuditConfig


def _noise(config: AuditConfig) -> list[str]:
    from audit.noise import noise_table

    table = noise_table(config)
    return [
        table.to_string(index=False, float_format=lambda v: f"{v:.3f}"),
        f"{int(table['within_limit'].sum())} of {len(table)} conditions within a fifth of every margin",
    ]


def _assets(config: AuditConfig) -> list[str]:
    from audit.recognition import recognition_table

    return [recognition_table(config).to_string(index=False, float_format=lambda v: f"{v:.3f}")]


def _render(config: AuditConfig) -> list[str]:
    from audit.render_speed import speed_table

    return [speed_table(config).to_string(index=False, na_rep="-", float_format=lambda v: f"{v:.3g}")]


def _attribution(config: AuditConfig) -> Iterator[str]:
    from audit.attribution_speed import speed_tables

    for table in speed_tables(config):
        yield table.to_string(index=False, na_rep="-", float_format=lambda v: f"{v:.3g}")


BENCHES: dict[str, Callable[[AuditConfig], Iterable[str]]] = {
    "noise": _noise,
    "assets": _assets,
    "render": _render,
    "attribution": _attribution,
}

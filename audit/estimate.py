"""What a run would do, before it does it: cells, scenes, how many the store has, time and disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from audit import parts
from audit.config import AuditConfig
from audit.loading import load_models
from scenes import rates
from scenes.planning import Planned

# Of one worker, where the store has not yet rendered pictures of that kind: per million pixels and sample, and per
# scene (docs/benchmarks.md).
SECONDS_PER_MEGASAMPLE, SECONDS_PER_SCENE = 2.0, 0.02
DENOISING = 7.0  # s per megapixel
BYTES_PER_PIXEL = 5.0
WORKER_START = 2.0  # s


@dataclass(frozen=True)
class Estimate:
    """Of one scene set. seconds: of one worker; is_measured: whether they come from scenes rendered before."""

    scene_set: str
    design: str
    conditions: int
    cells: int
    scenes: int  # of different content
    cached: int
    seconds: float
    is_measured: bool
    bytes: float
    points: int  # that were sampled
    tied: tuple[tuple[str, str], ...]  # factors that they do not tell apart

    @property
    def missing(self) -> int:
        return self.scenes - self.cached


def estimates(config: AuditConfig, scene_sets: Iterable[str]) -> list[Estimate]:
    """An estimate per scene set. Raises DesignError, SceneError."""
    return [_estimate(config, scene_set) for scene_set in scene_sets]


def plan(config: AuditConfig) -> list[str]:
    """The lines of the verb `plan`."""
    loaded = load_models(config)
    found = estimates(config, loaded.scene_sets)
    lines = []
    for e in found:
        lines += [
            f"design      {e.design}: {e.conditions} conditions, {e.cells} cells",
            f"scenes      {e.scenes} of different content, {e.cached} in the store, {e.missing} to render",
        ]
        if e.tied:
            pairs = ", ".join(f"{a} and {b}" for a, b in e.tied)
            lines.append(f"points      too few to tell apart {pairs}; take more, design.points={2 * e.points}")
        if e.missing:
            source = "as measured on this store" if e.is_measured else "by rule of thumb, none measured yet"
            lines.append(f"  one takes {e.seconds / e.missing:.2f} s of a worker ({source})")
    workers = max(config.renderer.workers, 1)
    missing = sum(e.missing for e in found)
    wait = sum(e.seconds for e in found) / workers + (WORKER_START if missing else 0)
    plural = "" if workers == 1 else "s"
    return [
        *lines,
        f"estimate    about {_duration(wait)} to render with {workers} worker{plural},"
        f" {sum(e.bytes for e in found) / 1e6:.1f} MB more in {config.paths.store}",
        f"models      {', '.join(loaded.adapters)}",
    ]


def _estimate(config: AuditConfig, scene_set: str) -> Estimate:
    store, design = parts.store(config), parts.design(config, scene_set)
    cells = parts.plan(config, [scene_set])
    unique = {p.scene_id: p for p in cells}
    missing = [p for i, p in unique.items() if not store.has(i)]
    known = rates.seconds_of(store.root)
    measured = [known.get(rates.kind(p.spec)) for p in missing]
    return Estimate(
        scene_set=scene_set,
        design=design.name,
        conditions=len(design.conditions()),
        cells=len(cells),
        scenes=len(unique),
        cached=len(unique) - len(missing),
        seconds=sum(_by_rule(p) if m is None else m for m, p in zip(measured, missing, strict=True)),
        is_measured=bool(measured) and None not in measured,
        bytes=sum(p.spec.camera.width * p.spec.camera.height * BYTES_PER_PIXEL for p in missing),
        points=design.points,
        tied=tuple(design.tied),
    )


def _by_rule(planned: Planned) -> float:
    spec = planned.spec
    megapixels = spec.camera.width * spec.camera.height / 1e6
    return SECONDS_PER_SCENE + megapixels * (SECONDS_PER_MEGASAMPLE * spec.samples + DENOISING * spec.denoise)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""`bench render`: how fast scenes are rendered, where the time goes, and how noisy the pictures are to the networks.

One column per scene set, one row per figure, so that the table can be read beside the one of another machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit import parts
from audit.config import PICTURES, AuditConfig
from audit.loading import load_models
from audit.models.adapter import Adapter
from audit.noise import BLOCKS, CONVERGED
from audit.schema import ConfigError
from scenes.planning import Planned
from scenes.renderer import render
from scenes.scene_spec import SceneSpec
from scenes.speed import STAGES, Speed, measure

SCENES = {"tabletop": 240, "studio": 32}  # rendered in the project's way; fewer where the design has fewer
PLAIN = {"tabletop": 24, "studio": 8}  # of them in the other ways too
SEEDS = 6  # of the renderer, per scene whose noise is measured
NOISY_SCENES = 4


def speed_table(config: AuditConfig) -> pd.DataFrame:
    """The figures of every rendered scene set that a chosen model sees. Raises ConfigError, RenderError.

    Columns: figure, unit, and one per scene set. Noise floor: the standard deviation, over seeds of the renderer, of
    the network's answer to one scene; bias: how far the mean over those seeds lies from the answer at CONVERGED
    samples, mean of the absolute values over scenes. The answer is the mean output of a proximity network, a
    classifier's probability of the right class.
    """
    if PICTURES in config.designs:
        raise ConfigError("bench render needs scenes that are rendered, not design=pictures")
    loaded = load_models(config)
    columns = {}
    for scene_set in loaded.scene_sets:
        planned = parts.plan(config, [scene_set])
        specs = _spread(planned, SCENES[scene_set])
        figures = _of_speed(specs, measure(specs, parts.workers(config), PLAIN[scene_set]))
        for adapter in loaded.adapters.values():
            if adapter.task.scene_set == scene_set:
                figures |= _of_noise(config, planned, adapter)
        columns[scene_set] = figures
    return pd.DataFrame(columns).rename_axis(["figure", "unit"]).reset_index()


def _spread(planned: Sequence[Planned], count: int) -> list[SceneSpec]:
    """About `count` different scenes that show an object, evenly from the design, in its order."""
    unique = {p.scene_id: p.spec for p in planned if p.cell.condition["presence"] == "object"}
    specs = list(unique.values())
    return specs[:: max(len(specs) // count, 1)][:count]


def _of_speed(specs: Sequence[SceneSpec], speed: Speed) -> dict[tuple[str, str], float | str]:
    camera, whole = specs[0].camera, speed.sampling + speed.denoising + speed.rest
    denoised = ", denoised" if specs[0].denoise else ""
    return {
        ("picture", ""): f"{camera.width} x {camera.height}, {specs[0].samples} samples{denoised}",
        ("scenes", ""): float(speed.scenes),
        ("rate", "scenes/s"): speed.rate,
        ("times the plain way", ""): speed.rate / speed.plain_rate,
        ("times the plain way, shadow too", ""): speed.rate / speed.plain_shadow_rate,
        ("times a process per scene", ""): speed.rate / speed.alone_rate,
        ("plain way", "scenes/s"): speed.plain_rate,
        ("plain way, shadow too", "scenes/s"): speed.plain_shadow_rate,
        ("a process per scene", "scenes/s"): speed.alone_rate,
        ("workers' start", "s"): speed.start,
        ("largest worker", "GB"): speed.worker_memory / 1e9,
        ("one scene, one core", "s"): whole,
        ("of it sampling", "%"): 100 * speed.sampling / whole,
        ("of it denoising", "%"): 100 * speed.denoising / whole,
        ("of it all else", "%"): 100 * speed.rest_share,
        **{(f"stage: {name}", "s"): speed.stages[name] for name in STAGES},
    }


def _of_noise(config: AuditConfig, planned: Sequence[Planned], adapter: Adapter) -> dict[tuple[str, str], float | str]:
    """Spread and bias of a network's answers to a few scenes at the control condition."""
    design = parts.design(config, adapter.task.scene_set)
    at_control = [
        p
        for p in planned
        if p.cell.number in BLOCKS[adapter.task.scene_set]
        and p.cell.condition["presence"] == "object"
        and all(p.cell.condition[f] == level for f, level in design.control.items())
    ][:NOISY_SCENES]
    noisy = np.array([_answers(config, adapter, at_control, seed, None) for seed in range(SEEDS)])
    clean = _answers(config, adapter, at_control, 0, CONVERGED)
    return {
        (f"noise floor, {adapter.name}", ""): float(noisy.std(axis=0, ddof=1).mean()),
        (f"noise bias, {adapter.name}", ""): float(np.abs(noisy.mean(axis=0) - clean).mean()),
    }


def _answers(
    config: AuditConfig, adapter: Adapter, planned: Sequence[Planned], seed: int, samples: int | None
) -> NDArray[np.float64]:
    """The network's answer (scenes,) with another seed of the renderer and, where given, another sample count."""
    specs = [
        dataclasses.replace(p.spec, render_seed=p.spec.render_seed + seed, samples=samples or p.spec.samples)
        for p in planned
    ]
    store = parts.store(config)
    render(specs, store, parts.workers(config))
    images = np.stack([store.picture(spec.scene_id) for spec in specs])
    probability = adapter.task.probability(adapter.logits(images, config.attribution.batch))
    if adapter.task.name == "classification":
        right = np.stack([adapter.task.label(spec.objects) for spec in specs]) == 1
        return np.asarray((probability * right).sum(axis=1))
    return np.asarray(probability.mean(axis=1))

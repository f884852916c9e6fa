"""Audits for regression runs: a checkpoint under given settings, unless such a run is there already."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audit import pipeline
from audit.config import AuditConfig, CropsConfig, FaithfulnessConfig, PreprocessingAuditConfig, SanityConfig
from audit.models.checkpoint import PACKAGED, SUFFIXES, Checkpoint, read_checkpoint
from audit.regression.kept_run import KeptRun, open_run, runs_in
from audit.schema import ConfigError
from audit.typed_words import typed_words

Finish = Callable[[Path], None]  # writes a run's page into its folder
_NOT_RESULTS = ("paths", "training", "comparison", "experiment", "renderer")  # settings that change no table of a run


@dataclass(frozen=True)
class Auditor:
    """How audits are run. finish: writes the page."""

    finish: Finish | None = None

    def audited(self, config: AuditConfig) -> KeptRun:
        """The run of this configuration: an earlier one of equal settings and weights, else a new one."""
        checkpoints = {name: checkpoint_of(config, name) for name in config.models}
        digests = {name: c.sha256 if c else "" for name, c in checkpoints.items()}
        cards = {name: read_of_card(c.card) for name, c in checkpoints.items() if c}
        found = find_run(Path(config.paths.outputs), settings_digest(config), digests, cards)
        if found is not None:
            return found
        # what is kept in run.json and said of findings is what makes this run again, not what it was made for
        command = shlex.join(["python", "-m", "audit", "run", *typed_words(config)])
        return open_run(pipeline.run(config, command, self.finish).run_dir)


def find_run(
    outputs: Path, settings: str, digests: Mapping[str, str], cards: Mapping[str, Mapping[str, Any]] | None = None
) -> KeptRun | None:
    """The newest finished run of these settings in which each model has these weights ('' is not asked about), and of
    `cards` what an audit reads: the same weights at another threshold answer otherwise."""
    for run in reversed(list(runs_in(outputs))):
        if any(run.models.get(name, {}).get("sha256") != sha256 for name, sha256 in digests.items() if sha256):
            continue
        if any(read_of_card(run.models.get(name, {}).get("card", {})) != card for name, card in (cards or {}).items()):
            continue
        try:
            if set(run.models) >= set(digests) and settings_digest(run.config) == settings:
                return run
        except ConfigError:
            continue
    return None


def settings_digest(config: AuditConfig) -> str:
    """Hash of all that decides a run's tables but the weights: designs, seed, models and how they are fed, methods."""
    plain = {k: v for k, v in asdict(config).items() if k not in _NOT_RESULTS}
    plain["models"] = {name: {**model, "checkpoint": None} for name, model in plain["models"].items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:16]


def digest_of(config: AuditConfig, model: str) -> str:
    """sha256 of a model's checkpoint file; '' where it has none or is fetched by name. Raises ModelError."""
    found = checkpoint_of(config, model)
    return found.sha256 if found else ""


def checkpoint_of(config: AuditConfig, model: str) -> Checkpoint | None:
    """A model's checkpoint file and its card; None where it has none or is fetched by name. Raises ModelError."""
    name = config.models[model].checkpoint
    if name is None or not (name.startswith(PACKAGED) or Path(name).suffix in SUFFIXES):
        return None
    return read_checkpoint(name)[0]


def read_of_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Of a checkpoint's card what an audit reads."""
    return {name: card.get(name) for name in ("threshold", "recipe")}


def with_checkpoint(config: AuditConfig, model: str, checkpoint: str) -> AuditConfig:
    """The same audit of other weights of one model, without the other models and what only they are shown."""
    chosen = dataclasses.replace(config.models[model], checkpoint=checkpoint)
    return dataclasses.replace(config, models={model: chosen})


def only_model(config: AuditConfig, model: str | None = None) -> str:
    """The model a checkpoint is of: the named one, or the only one. Raises ConfigError where that is not clear."""
    if model is not None and model in config.models:
        return model
    if model is None and len(config.models) == 1:
        return next(iter(config.models))
    raise ConfigError(f"of which model is the checkpoint? choose one with model=NAME: {', '.join(config.models)}")


def fresh(config: AuditConfig, seed: int, seeds: int | None) -> AuditConfig:
    """The same audit on other scenes, answers alone: no maps but the primary method's, no checks."""
    designs = {n: dataclasses.replace(d, seeds=seeds or d.seeds, keep={}) for n, d in config.designs.items()}
    return dataclasses.replace(
        config,
        seed=seed,
        experiment=f"{config.experiment}-fresh",
        designs=designs,
        attribution=dataclasses.replace(
            config.attribution,
            methods=config.attribution.methods[:1],
            sensors=False,
            sanity=SanityConfig(scenes=0),
            faithfulness=FaithfulnessConfig(scenes=0),
            crops=CropsConfig(methods=[], scenes=0),
        ),
        preprocessing_audit=PreprocessingAuditConfig(scenes=0),
    )


def placed(config: AuditConfig, paths: Any, outputs: Path | None = None) -> AuditConfig:
    """A run's configuration with the folders of now: where it is read again, store and outputs may lie elsewhere."""
    here = paths if outputs is None else dataclasses.replace(paths, outputs=str(outputs))
    return dataclasses.replace(config, paths=here)

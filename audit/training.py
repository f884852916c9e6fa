"""Training the proximity network on rendered scenes: `python -m audit train`.

Three steps, each resumable: render the scenes (the store keeps them), train (a state file after every epoch), evaluate
on held-out scene seeds and write checkpoint and card. The recipe is `scenes.training_recipe`; the loss is binary cross
entropy over known cells; a mirrored copy of a scene, with sensors mirrored too, is as good as the scene.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from scipy.special import expit
from torch.nn import functional as F

from audit import parts
from audit.config import AuditConfig, ModelConfig
from audit.metrics.cells import CELLS, SENSORS
from audit.metrics.concordance import auc, auc_table
from audit.metrics.sensor_events import sensor_events
from audit.models import build_adapter
from audit.models.device import pick_device
from audit.models.preprocessing import Preprocessing
from audit.models.proximity_cnn import ProximityCNN
from audit.models.proximity_task import ProximityTask
from audit.progress import Progress
from scenes import proximity, training_recipe
from scenes.design import derive_seed
from scenes.renderer import RenderError, render
from scenes.scene_spec import SceneSpec

FALSE_ALARM_RATE = 0.01  # of clear sensors on held-out scenes, at the card's threshold
MODEL = ModelConfig()  # architecture and preprocessing that the checkpoint is for


@dataclass(frozen=True)
class Examples:
    images: np.ndarray  # (N, 64, 80, 3) uint8 RGB
    labels: np.ndarray  # (N, 155) int8
    in_view: np.ndarray  # (N, 155) bool


def train(config: AuditConfig) -> int:
    """Render, train, evaluate; returns exit code 0. Raises RenderError when scenes cannot be had."""
    target = Path(config.training.checkpoint)
    target.parent.mkdir(parents=True, exist_ok=True)
    device = pick_device(config.device)
    specs = _specs(config)
    with Progress("rendering training scenes") as progress:
        outcome = render(specs, parts.store(config), parts.workers(config), with_shadow=False, progress=progress.render)
    if outcome.failed:
        reason = next(iter(outcome.failed.values()))
        raise RenderError(f"{len(outcome.failed)} of {len(specs)} training scenes failed, the first: {reason}")
    seen = _examples(config, specs[: config.training.scenes])
    unseen = _examples(config, specs[config.training.scenes :])
    network, losses = _fit(config, seen, device, target.with_suffix(".state.pt"))
    _save(config, network, losses, unseen, target)
    return 0


def _specs(config: AuditConfig) -> list[SceneSpec]:
    """Training scenes, then held-out ones: numbers of one seed, so neither ever shifts into the other by chance."""
    count, robot, camera = config.training.scenes + config.training.held_out, parts.robot(config), parts.camera(config)
    return [training_recipe.scene(config.seed, n, camera, robot, config.training.samples) for n in range(count)]


def _examples(config: AuditConfig, specs: Sequence[SceneSpec]) -> Examples:
    store, robot = parts.store(config), parts.robot(config)
    labels = [proximity.labels(s.objects, robot)[: robot.scored].reshape(-1) for s in specs]
    views = [proximity.in_view(s.camera, robot)[: robot.scored].reshape(-1) for s in specs]
    with Progress("reading scenes") as progress:
        images = []
        for number, spec in enumerate(specs, 1):
            images.append(store.picture(spec.scene_id))
            progress.step(number, len(specs))
    return Examples(np.stack(images), np.stack(labels), np.stack(views))


def _fit(config: AuditConfig, seen: Examples, device: str, state_file: Path) -> tuple[ProximityCNN, list[float]]:
    """Train on from the state file's epoch; order and dropout follow from (seed, epoch): resumed runs are the same."""
    torch.manual_seed(derive_seed(config.seed, "initial weights"))
    network = ProximityCNN(outputs=CELLS).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.training.learning_rate)
    identity = hashlib.sha256(json.dumps([asdict(config.training), config.seed, len(seen.images)]).encode()).hexdigest()
    losses: list[float] = []
    if state_file.is_file():
        state = torch.load(state_file, weights_only=True, map_location=device)
        if state["identity"] == identity:
            network.load_state_dict(state["network"])
            optimiser.load_state_dict(state["optimiser"])
            losses = list(state["losses"])
    inputs = Preprocessing.from_config(MODEL.preprocessing).apply(seen.images)
    labels = torch.from_numpy(seen.labels.astype(np.float32))
    epochs = config.training.epochs
    with Progress("training") as progress:
        for epoch in range(len(losses), epochs):
            for group in optimiser.param_groups:  # cosine, so the last epochs settle
                group["lr"] = config.training.learning_rate * (1 + math.cos(math.pi * epoch / epochs)) / 2 + 1e-6
            losses.append(_epoch(config, network, optimiser, inputs, labels, epoch, device))
            state = {"identity": identity, "network": network.state_dict(), "optimiser": optimiser.state_dict()}
            partial = state_file.with_suffix(".partial")
            torch.save({**state, "losses": losses}, partial)
            os.replace(partial, state_file)
            progress.step(epoch + 1, epochs, f"loss {losses[-1]:.4f}")
    return network.eval(), losses


def _epoch(
    config: AuditConfig,
    network: ProximityCNN,
    optimiser: torch.optim.Optimizer,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    epoch: int,
    device: str,
) -> float:
    """One pass over the scenes; returns the mean loss per batch."""
    torch.manual_seed(derive_seed(config.seed, "epoch", epoch))
    network.train()
    total, batches = 0.0, 0
    for rows in _batches(len(inputs), config.training.batch):
        x, y = inputs[rows].to(device), labels[rows].to(device)
        mirrored = torch.rand(len(rows), device=device) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
        flipped = y.view(len(y), -1, len(SENSORS)).flip(-1).reshape(len(y), -1)
        y = torch.where(mirrored[:, None], flipped, y)
        known = (y >= 0).float()
        loss = (
            F.binary_cross_entropy_with_logits(network(x), y.clamp(min=0), weight=known, reduction="sum") / known.sum()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total, batches = total + float(loss.detach()), batches + 1
    return total / batches


def _batches(count: int, size: int) -> Iterator[torch.Tensor]:
    yield from torch.randperm(count).split(size)


def _save(config: AuditConfig, network: ProximityCNN, losses: list[float], unseen: Examples, target: Path) -> None:
    """Checkpoint and card, each whole or not there; the card's numbers are those of the file as it loads again."""
    content = save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})
    _write(target, content)
    card_file = target.with_suffix(".json")
    card_file.unlink(missing_ok=True)
    adapter = build_adapter(replace(MODEL, checkpoint=str(target)), "cpu", ProximityTask(parts.robot(config)))
    probability = expit(adapter.logits(unseen.images).astype(np.float64))
    card = _card(config, hashlib.sha256(content).hexdigest(), losses, probability, unseen)
    _write(card_file, (json.dumps(card, indent=1, allow_nan=False) + "\n").encode())
    print(f"checkpoint  {target}\nmean AUC    {card['held_out']['mean_auc_in_view']:.3f} over in-view cells, held out")


def _card(
    config: AuditConfig, sha256: str, losses: list[float], probability: np.ndarray, unseen: Examples
) -> dict[str, Any]:
    threshold = alarm_threshold(probability, unseen.labels, config.robot.horizon)
    nominal = parts.camera(config)
    view = proximity.in_view(nominal.at(nominal.tilt), parts.robot(config))[: config.robot.scored].reshape(-1)
    table = auc_table(probability, unseen.labels, unseen.in_view)
    table["in_view_nominal"] = view
    events = sensor_events(probability, unseen.labels, threshold, config.robot.horizon)
    return {
        "schema_version": 1,
        "architecture": MODEL.architecture,
        "sha256": sha256,
        "preprocessing": asdict(MODEL.preprocessing),
        "threshold": threshold,
        "threshold_rule": f"at most {FALSE_ALARM_RATE:.0%} false alarms among clear sensors of held-out scenes",
        "recipe": training_recipe.RECIPE,
        "training": {
            "scenes": config.training.scenes,
            "held_out": config.training.held_out,
            "seed": config.seed,
            "scene_recipe": "varied floors, shapes, colours (CIEDE2000 > 15), soft light from the front half",
            "samples_per_pixel": config.training.samples,
            "epochs": config.training.epochs,
            "batch": config.training.batch,
            "learning_rate": config.training.learning_rate,
            "schedule": "cosine",
            "optimiser": "Adam",
            "loss": "binary cross entropy over known cells",
            "augmentation": "mirror",
            "loss_per_epoch": [round(v, 6) for v in losses],
        },
        "held_out": {
            "mean_auc_in_view": float(np.nanmean(table["auc"][view])),
            "mean_auc": float(np.nanmean(table["auc"])),
            "stratified_auc": auc(probability, unseen.labels),
            "sensor_miss": float(events.missed.sum() / events.occupied.sum()),
            "sensor_false_alarm": float(events.false_alarm.sum() / events.clear.sum()),
        },
        "auc_table": json.loads(table.to_json(orient="records", double_precision=6)),
    }


def alarm_threshold(probability: np.ndarray, label: np.ndarray, horizon: int) -> float:
    """The lowest operating point with at most FALSE_ALARM_RATE of clear sensors alarmed. (N, 155), (N, 155)."""
    p = np.where(label >= 0, probability, -np.inf).reshape(len(label), -1, len(SENSORS))[:, : horizon + 1].max(axis=1)
    clear = sensor_events(probability, label, 0.5, horizon).clear
    loudest = np.sort(p[clear])[::-1]
    allowed = int(len(loudest) * FALSE_ALARM_RATE)
    edge = float(loudest[allowed])  # this one must stay silent: the threshold lies just above it
    return min(round(math.ceil(edge * 1e4 + 1e-9) / 1e4 + 1e-4, 4), 1.0)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)

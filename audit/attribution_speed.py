"""`bench attribution`: what a map costs beside one bare forward and backward pass, and beside the field's libraries.

Weights are random: they change no time. All ways see the same pictures, networks and target layers, one after another
in one process. A batch whose bare pass takes longer than LONGEST is left out of the table.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import importlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch.profiler import ProfilerActivity, profile

from audit.attribution import FAMILY, attribute
from audit.config import AuditConfig, PreprocessingConfig
from audit.metrics.arrays import Mask, Pixels
from audit.models import torchvision_models
from audit.models.adapter import Adapter
from audit.models.checkpoint import without_checkpoint
from audit.models.classification_task import ClassificationTask
from audit.models.device import pick_device
from audit.models.frozen import frozen
from audit.models.layer_layout import LayerLayout
from audit.models.preprocessing import Preprocessing

ARCHITECTURES = ("squeezenet1_0", "resnet50", "vgg16", "vit_b_16")
BATCHES = (1, 8, 64)
SIDE = 224  # px
LONGEST = 12.0  # s of one bare pass beyond which a batch is not measured
REPEATS, ENOUGH = 5, 3.0  # repeats of each measurement, or as many as fit into so many seconds, two at least

GRAD_CAM = "pytorch_grad_cam"
PEERS = {  # our name -> class of pytorch_grad_cam
    "grad_cam": "GradCAM",
    "hires_cam": "HiResCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "xgrad_cam": "XGradCAM",
    "layer_cam": "LayerCAM",
}

Way = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """One network and one batch: pictures uint8 (B, SIDE, SIDE, 3), what the network is fed of them, the target."""

    adapter: Adapter
    images: Pixels
    fed: torch.Tensor
    target: int
    mask: Mask


def speed_tables(config: AuditConfig) -> Iterator[pd.DataFrame]:
    """A table for each architecture and batch, as soon as it is measured; none of a batch that would take too long.

    Columns: architecture, batch, way, images_per_second, times_bare (its time over that of one bare forward and
    backward pass to the input), peak_mb (memory beyond what lay there before), difference (largest difference to the
    map in double precision, of the map's range; of single maps at batch 1). Libraries that are not installed are left
    out.
    """
    device = pick_device(config.device)
    for architecture in ARCHITECTURES:
        adapter = _adapter(architecture, device)
        for batch in BATCHES:
            rows = _of_batch(_setting(adapter, batch))
            if rows:
                yield pd.DataFrame(rows)


def _of_batch(setting: Setting) -> list[dict[str, object]]:
    bare = partial(_bare, setting)
    partial(_bare, _first(setting))()  # what is slow the first time is no reason to leave a batch out
    started = time.perf_counter()
    bare()
    if time.perf_counter() - started > LONGEST:
        return []
    ways: dict[str, Way] = {"bare forward and backward": bare, **_ours(setting), **_theirs(setting)}
    exact = _differences(setting) if len(setting.images) == 1 else {}
    rows, base = [], float("nan")
    for name, way in ways.items():
        seconds, peak = _measured(way, setting.adapter.device)
        base = seconds if way is bare else base
        rows.append(
            {
                "architecture": setting.adapter.architecture,
                "batch": len(setting.images),
                "way": name,
                "images_per_second": len(setting.images) / seconds,
                "times_bare": seconds / base,
                "peak_mb": peak,
                "difference": exact.get(name, float("nan")),
            }
        )
    return rows


def _first(setting: Setting) -> Setting:
    return dataclasses.replace(setting, images=setting.images[:1], fed=setting.fed[:1], mask=setting.mask[:1])


def _bare(setting: Setting) -> torch.Tensor:
    """What no map can do without: one forward pass, and one backward to the input without weight gradients."""
    with frozen(setting.adapter.module):
        leaf = setting.fed.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(setting.adapter.module(leaf)[:, setting.target].sum(), leaf)
    return gradient


def _ours(setting: Setting) -> dict[str, Way]:
    asked = partial(attribute, setting.adapter, setting.images, setting.mask, batch=len(setting.images))
    return {
        "saliency": partial(asked, methods=["saliency"]),
        "Grad-CAM": partial(asked, methods=["grad_cam"]),
        "family of seven": partial(asked, methods=FAMILY),
    }


def _theirs(setting: Setting) -> dict[str, Way]:
    """The same maps by captum and grad-cam, as their manuals say; those that are installed."""
    saliency = partial(_captum, setting, "Saliency")
    ways: dict[str, Way] = {}
    if has_captum := find_spec("captum") is not None:
        ways |= {"saliency, captum": saliency, "Grad-CAM, captum": partial(_captum_grad_cam, setting)}
    if find_spec(GRAD_CAM) is None:
        return ways
    cams = [partial(_grad_cam, setting, PEERS[name]) for name in FAMILY if name in PEERS]
    ways["Grad-CAM, grad-cam"] = partial(_grad_cam, setting, "GradCAM")
    if has_captum:
        whole = [saliency, partial(_captum, setting, "InputXGradient"), *cams]
        ways["family of seven, captum and grad-cam"] = lambda: [way() for way in whole]
    return ways


def _captum(setting: Setting, name: str) -> torch.Tensor:
    method = getattr(importlib.import_module("captum.attr"), name)(setting.adapter.module)
    found: torch.Tensor = method.attribute(setting.fed.clone().requires_grad_(), target=setting.target)
    return found


def _captum_grad_cam(setting: Setting) -> torch.Tensor:
    adapter = setting.adapter
    method = importlib.import_module("captum.attr").LayerGradCam(adapter.module, adapter.layer())
    found = method.attribute(setting.fed, target=setting.target)
    if found.ndim != 4:  # of tokens it knows no grid, and stops here
        return found
    return interpolate(found, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def _grad_cam(setting: Setting, name: str) -> object:
    adapter, library = setting.adapter, importlib.import_module(GRAD_CAM)
    wanted = importlib.import_module(f"{GRAD_CAM}.utils.model_targets").ClassifierOutputTarget(setting.target)
    reshape = None if adapter.layout == LayerLayout() else adapter.layout.maps
    with getattr(library, name)(adapter.module, [adapter.layer()], reshape_transform=reshape) as method:
        found = method(setting.fed, targets=[wanted] * len(setting.images))
    for parameter in adapter.module.parameters():  # it leaves gradients on the weights
        parameter.grad = None
    return found


def _measured(way: Way, device: str) -> tuple[float, float]:
    """Median seconds, and peak memory in MB beyond what lay there before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peak = _peak(way, device)  # the first time also warms up
        taken: list[float] = []
        while len(taken) < 2 or (len(taken) < REPEATS and sum(taken) < ENOUGH):
            started = time.perf_counter()
            way()
            _wait(device)
            taken.append(time.perf_counter() - started)
    return float(np.median(taken)), peak


def _peak(way: Way, device: str) -> float:
    gc.collect()
    if device == "cpu":
        return _peak_on_processor(way)
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    way()
    torch.cuda.synchronize(device)
    return float(torch.cuda.max_memory_allocated(device) - before) / 1e6


def _peak_on_processor(way: Way) -> float:
    """By torch's own record of its tensors: the size of a process that is warm grows no more. What oneDNN holds inside
    an operation is not in it, for any way."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it tells of every accelerator that is not there
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as record:
        way()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        record.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    held = [e["args"]["Total Allocated"] for e in events if e.get("name") == "[memory]"]
    return float(max(held, default=0)) / 1e6


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def _differences(setting: Setting) -> dict[str, float]:
    """Largest difference of our saliency and Grad-CAM to the same in double precision on the processor, of the map's
    range: the closed forms written out once more, on a network of doubles."""
    adapter = setting.adapter
    module = copy.deepcopy(adapter.module).double().cpu().requires_grad_(False)
    kept: list[torch.Tensor] = []
    layer = module.get_submodule(adapter.target_layer)

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output)
        return output.clone()

    handle = layer.register_forward_hook(keep)
    leaf = setting.fed.detach().double().cpu().requires_grad_()
    value = module(leaf)[:, setting.target].sum()
    handle.remove()
    gradient, above = torch.autograd.grad(value, [leaf, kept[0]])
    activation, above = adapter.layout.maps(kept[0].detach()), adapter.layout.maps(above)
    cam = (above.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1)
    exact = {"saliency": gradient.abs().amax(dim=1), "grad_cam": cam}
    ours = attribute(adapter, setting.images, setting.mask, list(exact))
    found: Mapping[str, float] = {
        name: float(np.abs(ours[name] - values.numpy()).max() / np.ptp(values.numpy()))
        for name, values in exact.items()
    }
    return {"saliency": found["saliency"], "Grad-CAM": found["grad_cam"]}


def _setting(adapter: Adapter, batch: int) -> Setting:
    images = np.random.default_rng(0).integers(0, 256, (batch, SIDE, SIDE, 3), dtype=np.uint8)
    fed = adapter.preprocessing.apply(images, adapter.device)
    with torch.no_grad():  # of random weights some outputs are dead, and have no gradient
        target = int(adapter.module(fed[:1])[0].argmax())
    mask = np.zeros((batch, adapter.task.outputs), dtype=bool)
    mask[:, target] = True
    return Setting(adapter, images, fed, target, mask)


def _adapter(architecture: str, device: str) -> Adapter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module: nn.Module = torchvision_models.built(architecture, {}).to(device).eval()
    layer = torchvision_models.target_layer(architecture)
    layout = torchvision_models.layout(architecture, layer)
    preprocessing = Preprocessing.from_config(PreprocessingConfig(height=SIDE, width=SIDE, normalisation="fixed"))
    adapter = Adapter(
        name=architecture,
        task=ClassificationTask({}),
        architecture=architecture,
        module=module,
        preprocessing=preprocessing,
        target_layer=layer,
        grid=(1, 1),
        checkpoint=without_checkpoint(module),
        threshold=0.5,
        recipe=None,
        device=device,
        layout=layout,
    )
    return _with_grid(adapter)


def _with_grid(adapter: Adapter) -> Adapter:
    """The adapter with the grid that its target layer has at SIDE."""
    sizes: list[torch.Size] = []
    handle = adapter.layer().register_forward_hook(lambda _m, _i, out: sizes.append(adapter.layout.maps(out).shape))
    with torch.no_grad():
        adapter.module(torch.zeros((1, 3, SIDE, SIDE), device=adapter.device))
    handle.remove()
    height, width = sizes[0][2:]
    return dataclasses.replace(adapter, grid=(int(height), int(width)))

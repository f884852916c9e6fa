"""Checkpoints: a weights file, its digest, and the card beside it. Nothing in a checkpoint is ever executed."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from audit.models.errors import ModelError, nearest, shortened

PACKAGED = "packaged:"
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
WRAPPERS = ("state_dict", "model_state_dict")  # keys under which training frameworks put the state_dict
_COUNTS = "num_batches_tracked"

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Which weights: file name (empty where the callable made its own weights), sha256, and the card.

    sha256 is that of the file's bytes; without a file, of the weights themselves. The card is empty where none lies
    beside the file; `<stem>.json`, of which `threshold` and `recipe` are read here and the rest only carried.
    """

    file: str
    sha256: str
    card: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(name: str) -> tuple[Checkpoint, dict[str, torch.Tensor]]:
    """The checkpoint behind a setting, and its tensors on the CPU.

    name: a path to .safetensors or to a torch file that holds a state_dict, or 'packaged:NAME' for one that comes
    with the package. Raises ModelError: not there, unreadable or truncated, a pickled module, NaN weights, bad card.
    """
    file = _packaged(name.removeprefix(PACKAGED)) if name.startswith(PACKAGED) else _on_disk(name)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"checkpoint {name} cannot be read: {error.strerror or error}") from error
    # the very bytes that are hashed are the ones that are loaded
    state = _tensors(content, file.name)
    refuse_non_finite(state, f"checkpoint {file.name}")
    return Checkpoint(file.name, hashlib.sha256(content).hexdigest(), read_card(file)), state


def without_checkpoint(module: nn.Module) -> Checkpoint:
    """The checkpoint of a module that made its own weights: no file, and a digest of the weights themselves."""
    digest = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{key} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
    return Checkpoint(file="", sha256=digest.hexdigest())


def load_weights(module: nn.Module, state: State, what: str) -> None:
    """Copy `state` into `module`; ModelError lists every missing, unexpected and mis-shaped key at once.

    How many batches a normalisation has seen is of no use after training: older files do not say and need not.
    """
    wanted = module.state_dict()
    state = {**{key: counted for key, counted in wanted.items() if key.endswith(_COUNTS)}, **state}
    missing = [key for key in wanted if key not in state]
    unexpected = sorted(key for key in state if key not in wanted)  # safetensors come in no order
    misshaped = [
        f"{key} {tuple(state[key].shape)} for {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in state and state[key].shape != tensor.shape
    ]
    faults = [
        f"{label}: {shortened(keys)}"
        for label, keys in (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped))
        if keys
    ]
    if faults:
        hint = _prefix_hint(missing, unexpected)
        raise ModelError(f"{what} does not fit the architecture {type(module).__name__}; {'; '.join(faults)}{hint}")
    # shapes and names are those of today's layers, so no layer shall take them for an older version's
    current = OrderedDict(state)
    current._metadata = getattr(wanted, "_metadata", {})  # type: ignore[attr-defined]
    module.load_state_dict(current, strict=True)


def refuse_non_finite(state: State, what: str) -> None:
    """ModelError where a weight is NaN or infinite."""
    bad = [key for key, tensor in state.items() if tensor.is_floating_point() and not torch.isfinite(tensor).all()]
    if bad:
        raise ModelError(f"{what} has NaN or infinite weights in {shortened(bad)}: did its training diverge?")


def read_card(file: Traversable) -> dict[str, Any]:
    """The card beside a checkpoint, checked as far as the audit relies on it; {} where there is none."""
    card_file = _sibling(file, Path(file.name).with_suffix(".json").name)
    if card_file is None or not card_file.is_file():
        return {}
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"card {card_file.name} is not readable JSON: {error}") from error
    if not isinstance(card, dict):
        raise ModelError(f"card {card_file.name} must be a JSON object, not {type(card).__name__}")
    threshold = card.get("threshold")
    if threshold is not None and (
        isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1
    ):
        raise ModelError(f"card {card_file.name}: threshold must be a probability, not {threshold!r}")
    recipe = card.get("recipe")
    if recipe is not None and not _is_recipe(recipe):
        raise ModelError(f"card {card_file.name}: recipe must map each factor to a list of levels, all of them strings")
    return card


def _is_recipe(recipe: object) -> bool:
    return isinstance(recipe, dict) and all(
        isinstance(levels, list) and all(isinstance(level, str) for level in levels) for levels in recipe.values()
    )


def _packaged(name: str) -> Traversable:
    folder = files("audit") / "checkpoints"
    stem = name.removesuffix(".safetensors")
    file = folder / f"{stem}.safetensors"
    if "/" in name or "\\" in name or not file.is_file():
        shipped = [f.name for f in folder.iterdir()] if folder.is_dir() else []
        stems = [f.removesuffix(".safetensors") for f in shipped if f.endswith(".safetensors")]
        raise ModelError(f"no checkpoint '{name}' comes with the package: {nearest(stem, stems)}")
    return file


def _on_disk(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise ModelError(f"checkpoint {name} is a folder: name the file in it")
    beside = path.parent
    if not beside.is_dir():
        raise ModelError(f"checkpoint {name} is not there: its folder does not exist")
    weights = [f.name for f in beside.iterdir() if f.suffix in SUFFIXES]
    hint = nearest(path.name, weights) if weights else "its folder holds no checkpoint"
    raise ModelError(f"checkpoint {name} is not there: {hint}")


def _sibling(file: Traversable, name: str) -> Traversable | None:
    if isinstance(file, Path):
        return file.with_name(name)
    return files("audit") / "checkpoints" / name


def _tensors(content: bytes, name: str) -> dict[str, torch.Tensor]:
    if name.endswith(".safetensors"):
        try:
            return safetensors.torch.load(content)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ModelError(f"checkpoint {name} is truncated or no safetensors file: {_first_line(error)}") from error
    loaded = _unpickled(content, name)
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            break
    if not isinstance(loaded, Mapping) or not loaded:
        raise ModelError(f"checkpoint {name} holds a {type(loaded).__name__}, not a state_dict: {_REMEDY}")
    strangers = [str(key) for key, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise ModelError(f"checkpoint {name} is no state_dict: {shortened(strangers)} hold no tensors; {_REMEDY}")
    return {str(key): value for key, value in loaded.items()}


_REMEDY = "save it with torch.save(model.state_dict(), path) or safetensors.torch.save_file(model.state_dict(), path)"


def _unpickled(content: bytes, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about old formats; what matters is raised
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types here, and each means the same to the reader
        refused = isinstance(error, pickle.UnpicklingError) and "weights only" in str(error).lower()
        if refused and any(word in str(error) for word in ("Unsupported global", "Unsupported class", "GLOBAL")):
            raise ModelError(
                f"checkpoint {name} holds a pickled object (a whole module?), which is refused because loading it would"
                f" run code from the file: {_REMEDY}"
            ) from error
        raise ModelError(f"checkpoint {name} is truncated or no file of torch: {_REMEDY}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def _prefix_hint(missing: list[str], unexpected: list[str]) -> str:
    """Says so where only a prefix stands between the two lists, as DataParallel and training frameworks leave it."""
    if not missing or not unexpected:
        return ""
    prefix = unexpected[0].partition(".")[0] + "."
    bare = {key.removeprefix(prefix) for key in unexpected if key.startswith(prefix)}
    if not bare >= set(missing):
        return ""
    return f" (the keys fit without the prefix '{prefix}': save the inner module's state_dict)"

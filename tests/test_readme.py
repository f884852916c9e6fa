"""What the README tells a user to type works as typed, at the size of experiment=smoke where it would take long."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import safetensors.torch

from scenes import assets
from scenes.assets import Part
from scenes.store import Store

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.strip().splitlines()]
TINY_TRAINING = "training.scenes=12 training.held_out=8 training.epochs=1"
FEW_SCENES = (
    "design.seeds=8 design.factors.relation=[distinct] design.factors.light=[front,back]"
    " design.factors.cast_shadow=[soft] design.samples=1"
)
SMALLER = {
    **dict.fromkeys(("compare", "regress", "watch", "epochs", "selftest"), FEW_SCENES),
    "design=tabletop_factors": "design.seeds=1",
    "design=tabletop_sampled": "design.points=4 design.seeds=1",
    "verify": "renderer.verify=2",
    "attribution=full": "design.keep.seeds=[0] design.keep.light=[front] attribution.settings.masks=4"
    " attribution.settings.path_steps=2 attribution.sanity.scenes=0 attribution.faithfulness.scenes=1"
    " attribution.faithfulness.steps=2 preprocessing_audit.scenes=0",
}
IN_VENV = Path(sys.prefix) == ROOT / ".venv"

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user works: with the module and the weights that the README's example speaks of."""
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    folder = tmp_path_factory.mktemp("readme")
    for name, module in re.findall(r"`(\w+\.py)`[^`]*```python\n(.*?)```", README, re.S):
        (folder / name).write_text(module)
    (folder / "pail.obj").write_text(as_obj(assets.named("bucket").parts((0.03, 0.16, 0.48))))
    code = "import torch, my_network; torch.save(my_network.build().state_dict(), 'my_weights.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    (folder / "audit").mkdir()
    shutil.copytree(ROOT / "audit" / "checkpoints", folder / "audit" / "checkpoints")
    shutil.copytree(ROOT / "audit" / "checkpoints", folder / "checkpoints")
    next_weights = safetensors.torch.load_file(ROOT / "audit" / "checkpoints" / "proximity.safetensors")
    moved = {key: values + 1e-7 for key, values in next_weights.items()}
    safetensors.torch.save_file(moved, folder / "next.safetensors")
    return folder


def as_obj(parts: Sequence[Part]) -> str:
    """Parts as a Wavefront file, y up."""
    lines: list[str] = []
    first = 1
    for part in parts:
        lines += [f"v {x:.6f} {z:.6f} {-y:.6f}" for x, y, z in part.vertices]
        lines += ["f " + " ".join(str(i + first) for i in face) for faces in part.faces for face in faces.tolist()]
        first += len(part.vertices)
    return "\n".join(lines) + "\n"


def adapted(command: str, folder: Path) -> list[str]:
    """The command as typed, with settings behind it that keep it small and out of the project's own folders."""
    words = shlex.split(command)
    settings = [f"paths.store={folder / 'store'}", f"paths.outputs={folder / 'outputs'}"]
    if words[0] == "make":
        given = next((w.removeprefix("ARGS=") for w in words if w.startswith("ARGS=")), "")
        small = TINY_TRAINING if words[1] == "train" else "experiment=smoke"
        small += f" training.checkpoint={folder / 'trained.safetensors'}" if words[1] == "train" else ""
        return [*words[:2], f"ARGS={' '.join([given, small, *settings])}"]
    assert words[:3] == ["python", "-m", "audit"], command
    plain = words[3] in ("doctor", "plan")
    if words[3] in ("compare", "regress", "accept", "watch"):
        settings.append(f"paths.baselines={folder / 'baselines'}")
    if words[3] == "show":
        words[4] = next(Store(folder / "store").ids())
    settings += [s for word, small in SMALLER.items() if word in words for s in small.split()]
    if any("squeezenet1_0" in w for w in words):
        weights = ROOT.parent / "shared" / "weights" / "squeezenet1_0.safetensors"
        if not weights.is_file():
            pytest.skip("the weights of SqueezeNet are not beside this repository (../shared/weights)")
        small = {"experiment=imagenet_objects": "design=studio_smoke"}
        words = [small.get(w, w) for w in words]
        settings += [f"model.checkpoint={weights}", "design.seeds=1"]
    return [sys.executable, "-m", "audit", *words[3:], *([] if plain else settings)]


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(command: str, place: Path) -> None:
    words = adapted(command, place)
    if "../shared" in command:
        if not (ROOT.parent / "shared" / "images").is_dir():
            pytest.skip("the pictures and weights of 2019 are not here")
        words = [w.replace("=../shared", f"={ROOT.parent / 'shared'}") for w in words]
    if words[0] == "make" and not IN_VENV:
        pytest.skip("make uses the project's own .venv")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    where = ROOT if words[0] == "make" else place
    done = subprocess.run(words, cwd=where, env=environment, capture_output=True, text=True, timeout=600, check=False)
    # on so few scenes some faults are too small to be noticed, and selftest says so
    allowed = (0, 1) if "selftest" in words else (0,)
    assert done.returncode in allowed, done.stdout + done.stderr
    if "run" in words or "make audit" in command:
        assert (place / "outputs" / "latest" / "report" / "index.html").is_file()

"""What a package loads when it is imported, seen from outside: each package in a fresh process.

The import contracts (`make lint`) read the source; this runs it, so it also sees what a package's `__init__` drags in.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLENDER = ("bpy", "bmesh", "mathutils", "scenes.blender", "scenes.worker")
TORCH = ("torch", "torchvision")
CONFIGURATION = ("hydra", "omegaconf")
LIGHT = ("numpy", "pandas", *TORCH, *BLENDER, *CONFIGURATION)

# One process each: modules imported one after the other, and what must not be loaded by then.
PROCESSES: dict[str, dict[str, tuple[str, ...]]] = {
    "scenes": {
        "scenes": LIGHT,
        "scenes.design": LIGHT,
        "scenes.factors": ("pandas", *TORCH, *BLENDER, *CONFIGURATION),
        "scenes.worker_protocol": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.store": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.assets": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.studio": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.tabletop": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.renderer": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
        "scenes.manifest": (*TORCH, *BLENDER, *CONFIGURATION, "audit", "reports"),
    },
    "analysis": {
        "audit": LIGHT,
        "audit.config": LIGHT,
        "audit.tables": (*TORCH, *BLENDER, *CONFIGURATION, "reports"),
        "audit.metrics": (*TORCH, *BLENDER, *CONFIGURATION, "reports"),
        "audit.analysis": (*TORCH, *BLENDER, *CONFIGURATION, "reports", "audit.models", "audit.pipeline"),
    },
    "models": {
        "audit.models": (*BLENDER, *CONFIGURATION, "reports"),
        "audit.attribution": (*BLENDER, *CONFIGURATION, "reports"),
        "audit.loading": (*BLENDER, *CONFIGURATION, "reports"),
        "audit.pipeline": (*BLENDER, "reports"),
        "audit.recognition": (*BLENDER, "reports"),
        "audit.noise": (*BLENDER, "reports"),
        "audit.training": (*BLENDER, "reports"),
    },
    "command line": {
        "audit.environment": (*LIGHT, "yaml"),
        "audit.composition": (*TORCH, *BLENDER, "reports", "pandas"),
        "audit.cli": (*TORCH, *BLENDER, "reports", "pandas"),
    },
    "reports": {"reports": (*TORCH, *BLENDER, *CONFIGURATION, "audit.pipeline", "audit.models", "audit.analysis")},
    "hydra_configs": {"hydra_configs": LIGHT},
}
STEPS = [(name, module) for name, modules in PROCESSES.items() for module in modules]

PROGRAM = """
import importlib, json, sys
loaded = {}
for module in sys.argv[1:]:
    importlib.import_module(module)
    loaded[module] = sorted(sys.modules)
print(json.dumps(loaded))
"""


@functools.cache
def loaded(root: Path, *modules: str) -> dict[str, list[str]]:
    """Module -> every module that is loaded once it and those before it are, in one fresh process."""
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        env={**os.environ, "PYTHONPATH": path},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("process", "module"), STEPS, ids=[module for _, module in STEPS])
def test_importing_a_package_loads_nothing_that_it_may_not_have(process: str, module: str, root: Path) -> None:
    found = loaded(root, *PROCESSES[process])[module]
    assert set(found) & set(PROCESSES[process][module]) == set()


def test_the_test_can_fail(root: Path) -> None:
    """What is loaded on purpose is seen: hydra by the command line, pandas by tables, torch by models."""
    assert set(CONFIGURATION) <= set(loaded(root, *PROCESSES["command line"])["audit.cli"])
    assert "pandas" in loaded(root, *PROCESSES["analysis"])["audit.tables"]
    assert "torch" in loaded(root, *PROCESSES["models"])["audit.models"]


@pytest.mark.blender
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Blender exists for Python 3.11 alone")
def test_the_blender_side_loads_blender_and_neither_torch_nor_the_audit(root: Path) -> None:
    """The names that the tests above look for are those that Blender's modules have."""
    found = set(loaded(root, "scenes.blender.session")["scenes.blender.session"])
    assert {"bpy", "scenes.blender"} <= found
    assert found & {*TORCH, *CONFIGURATION, "audit", "reports"} == set()

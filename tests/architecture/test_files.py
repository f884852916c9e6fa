"""What is in the repository: no trace of a machine, all package data packaged, a lock that names no host."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tomllib
from pathlib import Path, PurePosixPath

import pytest

# written in pieces, so that this file is not its own finding; tests that need such a folder say /home/someone
MACHINE = re.compile(
    r"(?<![\w.~$])/(?:ho" + r"me|ro" + r"ot|Us" + r"ers|wo" + r"rk|o" + r"pt|m" + r"nt)/(?!someone)[\w.-]+"
)
HOST = re.compile(
    r"py" + r"pi\.org|python" + r"hosted|--(?:extra-)?index-" + r"url (?!in\b)|--find" + r"-links|local" + r"host"
    r"|127\.0\." + r"0\.1|192\." + r"168\."
)
LOOPBACK = "127.0." + "0.1"
OWN_SERVERS = {"test_torchvision_weights.py"}  # tests that are their own server, which has to have an address
PACKAGES = ("audit", "scenes", "reports", "hydra_configs")


@pytest.fixture(scope="module")
def tracked(request: pytest.FixtureRequest) -> list[Path]:
    root = request.config.rootpath
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("needs the git repository")
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True).stdout
    paths = [root / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def traces(text: str) -> list[str]:
    return [found[0] for pattern in (MACHINE, HOST) for found in pattern.finditer(text)]


def test_no_file_names_a_host_or_a_folder_of_a_machine(tracked: list[Path]) -> None:
    found = {}
    for path in tracked:
        try:
            hits = traces(path.read_text("utf-8"))
        except UnicodeDecodeError:
            continue
        if path.name in OWN_SERVERS:
            hits = [hit for hit in hits if hit != LOOPBACK]
        if hits:
            found[path.name] = hits[:3]
    assert found == {}


@pytest.mark.parametrize(
    ("text", "is_trace"),
    [
        ("see /ho" + "me/ann/weights.pt", True),
        ("'/ro" + "ot/.venv'", True),
        ("--index-" + "url https://example.org", True),
        ("https://files.python" + "hosted.org/x", True),
        ("192." + "168.3.7", True),
        ("paths.outputs=/data/runs", False),
        ("~/weights.pt and outputs/home/x", False),
        ("version 10.0.3", False),
    ],
)
def test_a_trace_is_seen_and_nothing_else(text: str, is_trace: bool) -> None:
    """The test above can fail."""
    assert bool(traces(text)) == is_trace


def test_the_lock_pins_every_package_by_hash_and_names_no_host(root: Path) -> None:
    text = (root / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 50
    for block in blocks:
        assert "==" in block.splitlines()[0], block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_lock_holds_what_pyproject_asks_for(root: Path) -> None:
    """`make lock` after a change there."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=;\[ ]", line, maxsplit=1)[0].lower() for line in asked}
    locked = set(
        re.findall(r"^([a-z0-9][a-z0-9_.-]*)==", (root / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    )
    assert names <= locked


def test_everything_in_a_package_that_is_no_code_is_package_data(tracked: list[Path], root: Path) -> None:
    """Else it works in the checkout and is missing after `pip install`."""
    declared = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    left_out = []
    for path in tracked:
        package, *rest = path.relative_to(root).parts
        if package in PACKAGES and path.suffix != ".py":
            inner = PurePosixPath(*rest)
            if not any(matches(inner, pattern) for pattern in declared.get(package, [])):
                left_out.append(f"{package}/{inner}")
    assert left_out == []


def matches(path: PurePosixPath, pattern: str) -> bool:
    """As setuptools matches: ** stands for any folders or none, * does not cross one."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.name, pattern.removeprefix("**/"))
    same_depth = len(path.parts) == len(PurePosixPath(pattern).parts)
    return same_depth and fnmatch.fnmatch(path.as_posix(), pattern)


def test_every_package_folder_of_code_is_importable(tracked: list[Path], root: Path) -> None:
    """setuptools leaves out a folder without __init__.py."""
    folders = {path.parent for path in tracked if path.suffix == ".py" and path.relative_to(root).parts[0] in PACKAGES}
    assert [str(f) for f in folders if not (f / "__init__.py").is_file()] == []

"""What a machine must have, and the virtual environment that the Makefile keeps there.

`python3.11 -m audit.environment [FOLDER LOCK]` makes FOLDER from LOCK where it is not what LOCK says. Standard library
alone, and no import of the rest: it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OLDEST = (3, 11)  # of Python
RENDERING = (3, 11)  # the one Python that Blender's wheel exists for

# Shared library -> Debian package, as found loaded after importing OpenCV and rendering with Blender.
OPENCV_LIBRARIES: Mapping[str, str] = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
BLENDER_LIBRARIES: Mapping[str, str] = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libxkbcommon.so.0": "libxkbcommon0",
}

STAMP = "installed-from"  # in the environment, written last: an interrupted installation has none


def renders() -> bool:
    """Whether this Python can hold Blender. Others audit scenes that were rendered elsewhere."""
    return sys.version_info[:2] == RENDERING


def missing_libraries() -> dict[str, str]:
    """Shared library -> Debian package, for those this machine does not have."""
    if sys.platform != "linux":
        return {}
    needed = {**OPENCV_LIBRARIES, **(BLENDER_LIBRARIES if renders() else {})}
    return {library: package for library, package in needed.items() if not _loads(library)}


def problem() -> str | None:
    """What stands in the way of an installation, one line with the remedy, or None."""
    found = ".".join(str(n) for n in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST:
        return f"Python 3.11 is needed, this is {found}: as root, apt-get install python3.11 python3.11-venv"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        return f"Python's venv module is missing: as root, apt-get install {name}"
    missing = missing_libraries()
    if missing:
        return f"missing system libraries {', '.join(missing)}: as root, apt-get install {' '.join(missing.values())}"
    return None


def main(folder: Path, lock: Path) -> int:
    """Make the environment `folder` hold what `lock` pins; nothing is done where it does. Returns an exit code."""
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two `make` at once: the second waits for the first
        stamp = _stamp(held.read())
        if _is_whole(folder, stamp):
            return 0
        obstacle = problem()
        if obstacle is not None:
            print(obstacle, file=sys.stderr)
            return 2
        return _build(folder, lock, stamp)


def _build(folder: Path, lock: Path, stamp: str) -> int:
    if not renders():
        print(
            "Blender exists for Python 3.11 alone: this environment audits scenes that were rendered elsewhere",
            file=sys.stderr,
        )
    print(f"setting up {folder} from {lock}: about 7 GB, once", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [
            str(_python(folder)),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            str(lock),
        ],
    )
    for step in steps:
        try:
            code = subprocess.run(step, check=False).returncode
        except KeyboardInterrupt:
            print(f"setting up {folder} was interrupted; the same command starts over", file=sys.stderr)
            return 130
        if code != 0:
            print(
                f"setting up {folder} failed, see above: {' '.join(step)}; the same command starts over",
                file=sys.stderr,
            )
            return 2
    (folder / STAMP).write_text(stamp, "utf-8")
    return 0


def _is_whole(folder: Path, stamp: str) -> bool:
    """Whether `folder` was installed to the end from this lock by this Python, and its interpreter still runs."""
    path = folder / STAMP
    if not path.is_file() or path.read_text("utf-8") != stamp:
        return False
    return subprocess.run([str(_python(folder)), "-c", ""], check=False, capture_output=True).returncode == 0


def _stamp(lock: bytes) -> str:
    return f"{hashlib.sha256(lock).hexdigest()} python {sys.version_info[0]}.{sys.version_info[1]}\n"


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

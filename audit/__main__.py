"""`python -m audit`: the command line, from a folder of the project without installing it."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    try:
        from audit.cli import main
    except ModuleNotFoundError as error:
        environment = Path(__file__).resolve().parents[1] / ".venv"
        remedy = f"activate the project's own Python, '. {environment}/bin/activate', which 'make doctor' sets up"
        print(f"scene-audit: {sys.executable} lacks {error.name}: {remedy}", file=sys.stderr)
        sys.exit(2)
    _python = Path(sys.executable)
    _here = Path.cwd()
    # as it can be pasted: .venv/bin/python -m audit
    sys.exit(main(program=f"{_python.relative_to(_here) if _python.is_relative_to(_here) else 'python'} -m audit"))

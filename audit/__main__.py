"""`python -m audit`: the command line, from a folder of the project without installing it."""

from __future__ import annotations

import sys
from pathlib import Path

from audit.cli import main

if __name__ == "__main__":
    _python = Path(sys.executable)
    _here = Path.cwd()
    # as it can be pasted: .venv/bin/python -m audit
    sys.exit(main(program=f"{_python.relative_to(_here) if _python.is_relative_to(_here) else 'python'} -m audit"))

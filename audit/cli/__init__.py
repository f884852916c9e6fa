"""The command line: verbs, exit codes, and the one place where errors become a line on the terminal.

Results go to stdout, errors to stderr. Verbs import what they need when they are called, so that `help` loads no torch.
The one package that imports `reports`: it hands the page's writer to whoever finishes a run.
"""

from audit.cli.command_line import FLAGS, VERBS, main

__all__ = ["FLAGS", "VERBS", "main"]

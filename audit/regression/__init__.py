"""Regression runs: a candidate against its baseline, each new checkpoint in a folder, and what became of them.

Works on finished run directories; what must be audited anew goes through `audit.pipeline`. May import all of the audit
but its command line, and `scenes` without its Blender side; the page is handed in, as to the pipeline. This file stays
empty.
"""

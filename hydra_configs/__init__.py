"""The configuration files: one folder per swappable part, and `experiment/`, which puts parts together.

YAML alone; a package so that it is installed. `audit.config` is its schema, `audit.composition` reads both.
"""

"""The configuration files: one folder per swappable part, and `experiment/`, which puts parts together.

Holds YAML only, and is a package so that it can be installed. The schema is `audit.config`; `audit.composition` reads both.
"""

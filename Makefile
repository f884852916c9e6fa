# Every target is a line over `python -m audit` or a tool. `make help` lists them.
# `make audit` and `make test` set up .venv themselves, from requirements.lock, whenever that file changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help environment audit regress train doctor test lint snapshots lock clean

# Blender's wheel exists for Python 3.11 alone. PYTHON=python3.12 makes an environment without it: auditing scenes that
# were rendered elsewhere works there, and the tests that render are skipped visibly.
PYTHON ?= $(shell for p in python3.11 python3 .venv/bin/python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
RUN := .venv/bin/python
ARGS ?=
CHECKPOINT ?=

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

audit: environment ## render, predict, attribute, analyse, report; ARGS="experiment=smoke seed=1" sets what `scene-audit run` takes
	@$(RUN) -m audit run $(ARGS) || { code=$$?; echo "exit code $$code" >&2; exit $$code; }

regress: environment ## hold a checkpoint against the accepted baseline and the one before; CHECKPOINT=file, takes ARGS
	@$(RUN) -m audit regress "checkpoint=$(CHECKPOINT)" $(ARGS) || { code=$$?; echo "exit code $$code" >&2; exit $$code; }

train: environment ## train the proximity network on scenes of its own; takes ARGS, goes on where it stopped
	@$(RUN) -m audit train $(ARGS)

doctor: environment ## say what this machine has and lacks, with the remedy
	@$(RUN) -m audit doctor $(ARGS)

test: lint ## lint, then all tests; ARGS="-k words" picks some
	$(RUN) -m pytest $(ARGS)

lint: environment ## ruff, mypy and the import contracts
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) .venv/bin/lint-imports

snapshots: environment ## write the resolved configurations that tests/configs compares with; look at the diff
	$(RUN) -m pytest -q tests/configs --update-snapshots

lock: ## pin what pyproject.toml asks for in requirements.lock (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 2; }
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock

clean: ## remove caches and build leftovers; keeps .venv, the render store and the runs
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

environment:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed and was not found (python3 is $$(python3 -V 2>&1)): as root, apt-get install python3.11 python3.11-venv, or PYTHON=/path/to/python3.11 make ..." >&2; exit 2; }
	@$(PYTHON) -m audit.environment .venv requirements.lock

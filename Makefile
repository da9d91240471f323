# Forewarn: `make run` and `make test` set up all they need. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := contracts plumbing edge_agent ingest anomaly work_orders api simulators forewarn asset_models
CODE := $(PACKAGES) tests benchmarks deploy

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Forewarn needs Python 3.11 or newer; $(PYTHON) is older. Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.setup-run: requirements/run.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 -x '/(pandas|scipy|sklearn|statsmodels|pip|setuptools|pygments|pint|tests)/' $(VENV)/lib || true  # what a start loads
	@$(BIN)/python -m compileall -q $(PACKAGES) || true
	@touch $@

$(VENV)/.setup-dev: requirements/dev.txt $(VENV)/.setup-run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

WEB := api/static/vendor/.built
$(WEB): api/web/package.json api/web/package-lock.json api/web/build.mjs requirements/node.txt $(wildcard api/web/src/*) $(VENV)/.setup-run
	$(BIN)/python api/web/build.py
	@touch $@

setup: $(VENV)/.setup-run $(WEB)  ## make the environment in .venv, without development tools

setup-dev: setup $(VENV)/.setup-dev

run: setup  ## start the whole product with its demo on http://127.0.0.1:8420
	$(BIN)/forewarn demo

lint: setup-dev  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint  ## the same and the tests of the docs
	$(BIN)/python -m pytest -q tests/docs

servers: setup-dev  ## install the real servers that the tests use, where this machine may
	@deploy/servers/install.sh all || true
	@$(BIN)/python -m deploy.servers.foreign_programs install || true

test: lint servers  ## everything that this machine can run: first what runs alone, then the rest on all processors
	@status=0; set -x; \
	$(BIN)/python -m pytest -m alone --durations=20 || status=$$?; \
	[ $$status -le 1 ] || exit $$status; \
	$(BIN)/python -m pytest -m 'not alone' --numprocesses=logical --dist=loadscope --no-loadscope-reorder --durations=20 || status=$$?; \
	exit $$status

docs: setup-dev  ## write the reference pages anew
	$(BIN)/python -m forewarn.reference

lock:  ## pin requirements/*.txt again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra server pyproject.toml requirements/build.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements/node.in -o requirements/node.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra server --extra opcua --extra bacnet --group dev pyproject.toml requirements/build.in -c requirements/run.txt -o requirements/dev.txt

.PHONY: docs help setup setup-dev run lint check servers test lock

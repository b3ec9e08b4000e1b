# Stoep. `make run` shows it, `make test` runs all that CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
N ?= 1000
SIMULATIONS ?= run.py channels/run.py

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
FRONT_END := static/build.mjs static/package-lock.json $(wildcard service-worker.js) \
	$(shell find static/js static/css static/icons templates -type f 2>/dev/null)

.PHONY: help install build run test bench torture screenshots clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

# A stamp says "done for these files": a second start takes seconds.
$(STAMPS)/python: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Stoep needs Python 3.11 or newer; set PYTHON=…" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/node: static/package-lock.json | $(STAMPS)/python
	$(BIN)/python scripts/node.py ci
	@mkdir -p $(STAMPS) && touch $@

static/dist/manifest.json: $(STAMPS)/node $(FRONT_END)
	$(BIN)/python scripts/node.py run --silent build

install: $(STAMPS)/python $(STAMPS)/node ## the environment and the packages

build: static/dist/manifest.json ## the front end, into static/dist

run: install build ## a demonstration municipality on http://localhost:8000 (HOST, PORT)
	@STOEP_HOST=$(HOST) STOEP_PORT=$(PORT) $(BIN)/stoep demo

test: install ## everything that CI runs: format, lint, types, tests, browser
	@$(BIN)/python scripts/check.py $(STAGES)

bench: install build ## the measurements, one JSON line a figure
	@$(BIN)/python bench/run.py $(ARGS)

torture: install build ## the simulations over N random histories each (N=1000, SEED=…)
	@for one in $(SIMULATIONS); do \
		$(BIN)/python tests/torture/$$one --histories $(N) $(if $(SEED),--seed $(SEED)) $(ARGS) || exit 1; done

screenshots: install build ## the pictures in the README, from the running demonstration
	@$(BIN)/python scripts/screenshots.py

clean: ## remove what a build made; the data folder stays
	rm -rf $(VENV) $(STAMPS) node_modules static/node_modules static/dist dist .mypy_cache .ruff_cache .pytest_cache

# SPDX-License-Identifier: GPL-3.0-or-later
# Every target sets up what it needs by itself; `make` alone prints the table of targets.

EXP ?= digits
ARGS ?=

BIN := .venv/bin
# The stamp lies in the environment, so that both go together; it is renewed when what is installed changes.
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup experiment test test-slow lint bench clean

help: ## print this table
	@echo "usage: make TARGET [EXP=name] [ARGS='more options'] [PYTHON=/path/to/python3]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install ngspice, the virtual environment .venv and the pinned packages

$(READY): pyproject.toml constraints.txt scripts/setup.sh scripts/newer_ngspice.sh
	@PYTHON='$(PYTHON)' bash scripts/setup.sh
	@touch $@

experiment: $(READY) ## run or continue experiments/EXP.toml (default: digits); ARGS go to `spiceprop run`
	$(BIN)/spiceprop run experiments/$(EXP).toml $(if $(findstring --force,$(ARGS)),,--resume) $(ARGS)

test: $(READY) ## run the tests, without the slow ones; ARGS go to pytest
	$(BIN)/python -m pytest -q $(ARGS)

test-slow: $(READY) ## run the slow tests only; ARGS go to pytest
	$(BIN)/python -m pytest -q -m slow $(ARGS)

lint: $(READY) ## check style and formatting
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check

# The stamp of what only the benchmarks' opponents need.
OPPONENTS := .venv/.opponents

$(OPPONENTS): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: $(OPPONENTS) ## run every benchmarks/bench_*.py; each leaves a CSV
	@set -e; for bench in $(sort $(wildcard benchmarks/bench_*.py)); do \
		echo "$$bench"; $(BIN)/python "$$bench" $(ARGS); \
	done

clean: ## remove caches and build output; .venv, .ngspice, runs and data stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

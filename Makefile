# make demo    the main job on real orders on this machine
# make test    everything a change has to pass
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=

export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup system demo test lint bench faults schemas scenarios constraints clean fuzz model

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED) ## .venv with the pinned packages and the command

# Made again only when what is installed changed; the sources themselves are linked, not copied.
$(INSTALLED): constraints.txt pyproject.toml
	@scripts/system-packages python
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

system:
	@scripts/system-packages services

demo: setup ## the main job on real orders; ARGS="--help" shows the choices
	$(BIN)/basketstream demo $(ARGS)

test: setup system lint ## lint, types, full branch coverage of the decisions, all tests; ARGS="tests/decisions -x" narrows the tests
ifeq ($(ARGS),)
	$(BIN)/python -m pytest tests/decisions -q --cov=stream.decisions --cov-branch --cov-report=term-missing --cov-fail-under=100
endif
	$(BIN)/python -m pytest $(or $(ARGS),--ignore=tests/decisions -q)

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## throughput and latency on this machine
	$(BIN)/python -m benchmarks $(ARGS)

schemas: setup ## write schemas/ from the typed events
	$(BIN)/python -m stream.contracts

# ROUNDS=20 SEED=7 ROWS=1,4,18 LONG=1 SABOTAGE=fence REPORT=faults.json; ARGS goes to pytest as it is
faults: setup system ## the fault matrix: ROUNDS=20 SEED=7 ROWS=1,4,18 REPORT=faults.json
	$(BIN)/python -m pytest tests/faults -o faulthandler_timeout=1800 --all-rows --rounds $(or $(ROUNDS),1) \
	  $(if $(SEED),--seed $(SEED)) $(if $(ROWS),--rows $(ROWS)) $(if $(LONG),--long) \
	  $(if $(SABOTAGE),--sabotage $(SABOTAGE)) $(if $(REPORT),--fault-report $(REPORT)) $(ARGS)

scenarios: setup system ## the acceptance list as a table: what passed, what failed, what is missing
	$(BIN)/python -m pytest tests/scenarios --scenarios --quiet $(ARGS)

PIP_COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --no-strip-extras --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-options --annotation-style=line

# Versions that are pinned already stay unless ARGS="--upgrade". The worker's image has what the worker
# needs alone, in the very versions that were tested.
constraints: setup ## pin and hash the packages again
	$(PIP_COMPILE) --all-extras --all-build-deps $(ARGS) --output-file constraints.txt pyproject.toml
	$(PIP_COMPILE) --constraint constraints.txt --all-build-deps --output-file deploy/worker.txt pyproject.toml

# libFuzzer ends the process; the corpora and what was found stay in build/fuzz.
RUNS ?= 1000000
fuzz: setup ## coverage-guided fuzzing of the codec and the tables; RUNS=1000000
	$(BIN)/python -m tests.fuzz.coverage_guided codec --runs $(RUNS) --corpus build/fuzz/codec
	$(BIN)/python -m tests.fuzz.coverage_guided tables --runs $$(( $(RUNS) / 200 )) --corpus build/fuzz/tables

model: setup ## every state of the protocol's model, and what breaks without each step
	$(BIN)/python -m tests.model

clean: ## what the commands above left in this folder
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every command of the project. Each target does first what it needs; `make help` lists them.
# Set PYTHON to choose the interpreter (3.11 or later) that makes the virtual environment.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := config/locks
# What is installed is remembered inside the environment, so that deleting it forgets both.
RUN := $(VENV)/installed-run
DEV := $(VENV)/installed-dev
COMPILE := $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url \
	--universal --no-header

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test campaign check bench fix lock kernels

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: $(DEV) kernels  ## make the virtual environment with all tools, and build the kernels

run: $(RUN) kernels  ## start the site with everything it needs; Ctrl-C stops it
	@exec $(BIN)/python -m config.supervisor

test: $(DEV) kernels  ## run the whole suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

campaign: $(DEV) kernels  ## run the long tests: floors of accuracy, kills, fuzzed uploads
	$(BIN)/python -m pytest -n 2 --dist worksteal -m campaign

check: $(DEV)  ## check format, lint, import contracts, types and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: $(DEV) kernels  ## measure the kernels, predictions, and searches of the catalogue
	$(BIN)/python -m kernels bench
	$(BIN)/python manage.py bench_serving
	$(BIN)/python manage.py seed_catalogue --rows 100000
	$(BIN)/python manage.py bench_catalogue
	$(BIN)/python manage.py seed_catalogue --drop

fix: $(DEV)  ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV)  ## choose newer versions within pyproject.toml and write them down with their hashes
	$(COMPILE) -o $(LOCKS)/run.txt pyproject.toml
	$(COMPILE) --extra dev -o $(LOCKS)/dev.txt pyproject.toml

# Quick when nothing changed, and the sources are not make's to know.
kernels: | $(RUN)
	@$(BIN)/python -m kernels build >/dev/null

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN): $(LOCKS)/run.txt | $(BIN)/python
	$(BIN)/python -m pip install -q --require-hashes -r $(LOCKS)/run.txt
	@touch $@

# dev.txt holds run.txt, so this serves for both.
$(DEV): $(LOCKS)/dev.txt | $(BIN)/python
	$(BIN)/python -m pip install -q --require-hashes -r $(LOCKS)/dev.txt
	@touch $(RUN) $@

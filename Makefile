# Two commands for a newcomer: `make demo` and `make test`. Both make their own .venv from pyproject.toml.

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2

.PHONY: demo test browser check format campaign bench scale clean

demo: .venv/.installed
	@$(BIN)/rbac demo

test: .venv/.dev
	$(BIN)/pytest -n $(JOBS)

# A real browser for the tests of the matrix page: Debian's package, wanted where there is none yet. Needs root.
browser: .venv/.dev
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	$(BIN)/pytest tests/browser

# The static checks: format, lint, types, the direction of imports.
check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy rbac tests benchmarks
	$(BIN)/lint-imports

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The long tests at their full size; `make test` runs them small. Sizes: docs/campaigns.md
campaign: .venv/.dev
	$(BIN)/python -m tests.campaigns

bench: .venv/.bench
	$(BIN)/python -m benchmarks --write
	$(BIN)/python -m benchmarks.distance --write

scale: .venv/.dev
	$(BIN)/python -m benchmarks.scale --write

clean:
	rm -rf .venv *.egg-info build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/.installed

.venv/.bench: .venv/.dev
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	@touch $@

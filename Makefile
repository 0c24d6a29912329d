# Pingxuan (评选). `make help` is the index; everything below needs only Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.pingxuan-stamp
PORT ?=
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup demo demo-reset up test lint format lock screenshots pages-check bench chaos registry-bench ranking-bench duplicates growth load soak browser clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with the locked dependencies; the command is then .venv/bin/pingxuan

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: Python 3.11 or newer is needed; name it with: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## The whole platform with two rounds and people using it; Ctrl-C stops it, the data stays
	@$(BIN)/pingxuan demo $(if $(PORT),--port $(PORT))

demo-reset:  ## Forget the demo's data
	rm -rf $${PINGXUAN_HOME:-.pingxuan}

up: setup  ## The platform without demo data
	@$(BIN)/pingxuan up $(if $(PORT),--port $(PORT))

test: setup browser  ## Every test in two processes, or those named: make test TESTS=tests/unit
	$(BIN)/python -m $(if $(TESTS),pytest $(TESTS),tests.halves)

lint: setup  ## Formatter, linter, types, import contracts, dead code, unused dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry .

format: setup  ## Format the code and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## Write the lock files anew from pyproject.toml (needs uv)
	$(LOCK) --extra embedded --group dev pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml -o deploy/image/requirements.lock
	echo hatchling | $(LOCK) - -o deploy/image/build.lock

screenshots: setup browser  ## Every page, 360×740 and 1280×800, into screenshots/ (a platform must be running)
	$(BIN)/pingxuan screenshots

pages-check: setup browser  ## Lighthouse on a running platform (needs Node), then ten ballots over a line away for 20 s at each step
	$(BIN)/python -m tests.lighthouse
	FLAKY_OFFLINE_S=20 $(BIN)/python -m pytest -q tests/browser/test_flaky_line.py

bench: setup  ## Ballots per second and CPU per ballot; writes loadtests/results/
	$(BIN)/python -m loadtests.bench

registry-bench: setup  ## The registry's commonest calls at 5,000 applications, with their queries
	$(BIN)/python -m loadtests.registry_calls

ranking-bench: setup  ## Time and memory of `pingxuan rank` up to 10,000 candidates and 10 million ballots (minutes)
	$(BIN)/python -m loadtests.ranking_sizes

chaos: setup  ## 200 fault runs over real processes, planted bugs, the order of fsync (an hour); writes loadtests/results/
	@loadtests/install-faults
	$(BIN)/python -m loadtests.chaos $(CHAOS)

duplicates: setup  ## A million duplicate attempts over four voting processes (minutes); writes loadtests/results/
	$(BIN)/python -m loadtests.duplicates

load: setup  ## People of all kinds in a day's shape: SHAPE=opening, evening, last_minute or slow_day; goals decide
	$(BIN)/python -m loadtests.load --shape $(or $(SHAPE),evening) $(if $(PEOPLE),--people $(PEOPLE))

soak: setup  ## A million ballots at a steady pace (BALLOTS=…): memory, latency and followers must stay flat
	$(BIN)/python -m loadtests.soak $(if $(BALLOTS),--ballots $(BALLOTS))

growth: setup  ## CPU per ballot as processes and shards grow, and servers lost under load (minutes); writes loadtests/results/
	$(BIN)/python -m loadtests.growth

browser:  # Debian's Chromium and fonts for the browser tests; nginx and promtool for those of the deployment files
	@deploy/install-browser
	@deploy/install-servers

clean:  ## Remove what was built, not the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

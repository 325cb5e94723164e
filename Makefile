# Everything that one does with Portico. `make` alone lists it.
PYTHON ?= python3
PORT ?= 8080
STATE ?= var
MEMBERS := svckit router static uploads websocket authsvc
SOURCES := $(MEMBERS:%=%/src)
TYPED_TESTS := svckit/tests router/tests static/tests uploads/tests websocket/tests authsvc/tests
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
MANIFESTS := $(MEMBERS:%=%/pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help run test lint bench docs lock engine engine-down clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp .venv/members.stamp ## everything in one process on http://localhost:8080 (PORT=8080); Ctrl-C ends it
	@echo "http://localhost:$(PORT)/ (Ctrl-C ends it)"
	@exec $(BIN)/portico run --in-process --listen 127.0.0.1:$(PORT) --state $(STATE) \
	--admin unix:$(STATE)/admin router/portico.toml

# Two processes at most, as `tests/` needs one of them nearly as long as all the rest the other; PYTEST_ARGS=-n0 makes it one.
test: lint ## style, types, unit and behaviour tests; container tests where a Docker engine answers
	@$(BIN)/python -m pytest -q -n logical --maxprocesses 2 $(PYTEST_ARGS)

lint: .venv/dev.stamp .venv/members.stamp ## style and types only
	@$(BIN)/ruff check -q
	@$(BIN)/ruff format -q --check
	@$(BIN)/mypy --no-error-summary $(SOURCES) $(TYPED_TESTS) bench dynamic ftp tests
	@$(BIN)/mypy --no-error-summary conftest.py # to mypy svckit/tests has a module of that name, too

bench: .venv/bench.stamp .venv/dev.stamp .venv/members.stamp ## beside no proxy and beside the peers: a table of all targets (FULL=1: half an hour, kept)
	@[ -z "$(FULL)" ] || [ -d tests/node/node_modules/ws ] || ! command -v npm >/dev/null || \
	npm ci --silent --no-audit --no-fund --prefix tests/node || echo "npm ci has failed: Node's ws does not take part" >&2
	@$(BIN)/python -m bench $(if $(FULL),--full)
	@$(if $(FULL),$(BIN)/python -m bench.report)

docs: .venv/docs.stamp ## the pages of docs/ as a site, in var/docs
	@$(BIN)/sphinx-build -q -W --keep-going docs var/docs
	@echo "var/docs/index.html"

lock: ## requirements/*.txt anew, with what is locked kept where it fits (needs uv; UPGRADE=1 takes the newest)
	requirements/lock $(if $(UPGRADE),--upgrade)

engine: ## a Docker engine for the container tests, where none answers (root, Debian)
	@engine/up

engine-down: ## stop the engine that `make engine` started
	@engine/down

clean: ## remove .venv and caches; what the services keep in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment: hashed requirements first, then the members from this folder, editable

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Portico needs Python 3.11 or newer, and there is no $(PYTHON) here." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Portico needs Python 3.11 or newer, and %s is %s: name another, as in make PYTHON=python3.13" % (sys.executable, sys.version.split()[0]))'
	@echo "making .venv (once)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no venv module: on Debian it is the package python3-venv" >&2; exit 1; }

# What builds goes in before the rest: one dependency comes as source only, and no build may fetch anything.
.venv/build.stamp: requirements/build.txt | .venv/bin/python
	@$(PIP) install --require-hashes -r $<
	@touch $@

.venv/run.stamp .venv/dev.stamp .venv/docs.stamp .venv/bench.stamp: .venv/%.stamp: requirements/%.txt .venv/build.stamp
	@echo "installing $<"
	@$(PIP) install --require-hashes --no-build-isolation -r $<
	@touch $@

.venv/members.stamp: $(MANIFESTS) .venv/build.stamp
	@echo "installing the members"
	@$(PIP) install --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

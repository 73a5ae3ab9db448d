# `make up` and `make test` do all set-up by themselves. What is installed is named by a hash of the lock files, so that
# nothing is installed twice and a changed lock is noticed.

PYTHON ?= python3
DATA ?= data
PORT ?= 4000
CONSOLE_PORT ?= 4080
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile
# pip compiles on one core only.
COMPILE := $(BIN)/python -m compileall -qq -j 0
LOCKED := --only-binary :all: --require-hashes

hash = $(shell cat $(1) 2>/dev/null | cksum | tr -dc '0-9')
# Node fetches two files for the console; 200 MB that are only needed where the machine has none.
NODE_LOCK := $(if $(shell command -v npm),,requirements/node.txt)
RUNTIME_LOCKS := requirements/base.txt requirements/local.txt requirements/build.txt $(NODE_LOCK)
RUNTIME := .venv/.runtime-$(call hash,$(RUNTIME_LOCKS))
INSTALLED := .venv/.installed-$(call hash,$(RUNTIME_LOCKS) pyproject.toml package-lock.json scripts/build_hook.py)
DEV := .venv/.dev-$(call hash,$(RUNTIME_LOCKS) requirements/dev.txt)

.PHONY: up setup test lint format bench failover soak wheel lock docs pictures clean

up: setup
	@exec $(BIN)/watchkeeper up --data $(DATA) --port $(PORT) --console-port $(CONSOLE_PORT)

setup: $(INSTALLED)
	@:

# Two at a time. Whole installations are waited for more than they compute, so that two of them fit on two cores; those of
# one file follow each other. Pages of the console stay with the worker that has opened them (worksteal). Hundreds of
# processes of ours are started, each of which would compile what has changed since the set-up.
test: setup $(DEV)
	@scripts/need_chromium.sh $(BIN)/python
	@$(COMPILE) src || true
	$(BIN)/python -m pytest -n 2 tests/unit tests/tidy tests/contract tests/integration $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/ui $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e $(PYTEST_ARGS)

lint: setup $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup $(DEV)
	$(BIN)/python -m bench

# The sixteen ways in which providers fail, at full length: two minutes.
failover: setup $(DEV)
	$(BIN)/python -m bench.failover

soak: setup $(DEV)
	WK_SOAK=1 $(BIN)/python -m pytest tests/e2e/test_crash.py tests/contract/wire tests/unit/rollout \
	  tests/unit/test_cost_anomalies.py tests/integration/ingest/test_exactly_once.py \
	  tests/integration/control/test_release_history.py

wheel: setup $(DEV)
	$(BIN)/python -m build --outdir dist

lock: $(DEV)
	scripts/lock.sh

# The console's pictures in docs/images, taken over made-up calls.
pictures: setup $(DEV)
	$(BIN)/python scripts/pictures.py

docs: setup
	$(BIN)/python -m watchkeeper.config.reference docs

clean:
	rm -rf .venv build dist node_modules src/watchkeeper/console/static/vendor .mypy_cache .pytest_cache .ruff_cache \
	  .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv

$(RUNTIME): | .venv/bin/python
	@echo "setup: installing what Watchkeeper runs on (about 350 MB, once)"
	@$(PIP) $(LOCKED) $(RUNTIME_LOCKS:%=-r %)
	@$(COMPILE) .venv/lib || true
	@rm -f .venv/.runtime-* && touch $@

$(INSTALLED): $(RUNTIME)
	@echo "setup: installing Watchkeeper and the console's assets"
	@$(PIP) --no-build-isolation --editable .
	@$(COMPILE) src || true
	@[ "$$(uname)" != Linux ] || scripts/need_openmp.sh $(BIN)/python
	@rm -f .venv/.installed-* && touch $@

$(DEV): $(RUNTIME)
	@echo "setup: installing what the tests and checks need"
	@$(PIP) $(LOCKED) -r requirements/dev.txt
	@$(COMPILE) .venv/lib || true
	@rm -f .venv/.dev-* && touch $@

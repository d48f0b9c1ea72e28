# make run    start Vedette with a demonstration        make check  style, types, import contracts, UI lint
# make test   every test, browser included              make bench  measurements as JSON in bench/results
# make faults the fault suite with many more kills      make docs   reference pages made from the code
# make lock   pin the newest versions again             make clean  remove what make made

SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
DATA_DIR ?= .vedette
PORT ?= 8700
BIN := .venv/bin

UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' 2>/dev/null)
NPM := $(shell command -v npm 2>/dev/null)

.PHONY: run test check bench faults docs lock clean python-dev console console-tools test-tools

run: .venv/runtime.stamp console
	@exec $(BIN)/vedette serve --demo --data-dir $(DATA_DIR) --port $(PORT)

test: .venv/dev.stamp console console-tools test-tools
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST)
	@if [ -n "$(NPM)" ]; then cd ui && npm test; else echo "npm is not installed: the console's unit tests were left out"; fi

check: .venv/dev.stamp console-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@! grep -nE '"resolved"|https?://[^"]*registry' ui/package-lock.json requirements*.lock
	@if [ -n "$(NPM)" ]; then cd ui && npm run lint && npm run typecheck; else echo "npm is not installed: the console was not checked"; fi

bench: .venv/dev.stamp console
	$(BIN)/python -m bench

faults: .venv/dev.stamp test-tools
	VEDETTE_FAULT_KILLS=$${VEDETTE_FAULT_KILLS:-2000} $(BIN)/python -m pytest -n 2 --timeout 0 tests/faults

docs: .venv/dev.stamp console-tools
	$(BIN)/python docs/generate.py
	@if [ -n "$(NPM)" ]; then \
	  $(BIN)/python -c 'import json, vedette.api; print(json.dumps(vedette.api.openapi_document()))' > ui/openapi.json && \
	  (cd ui && OPENAPI=openapi.json npm run --silent types); rm -f ui/openapi.json; \
	else echo "npm is not installed: the console's types were not made"; fi

lock: 
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install -q --upgrade pip
	.venv-lock/bin/pip install -q .
	.venv-lock/bin/pip freeze --exclude vedette --exclude pip --exclude setuptools > requirements.lock
	.venv-lock/bin/pip install -q --group dev
	.venv-lock/bin/pip freeze --exclude vedette --exclude pip --exclude setuptools > requirements-dev.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-lock ui/node_modules src/vedette/web bench/results test-results .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Vedette needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/runtime.stamp: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/runtime.stamp
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.lock
	@touch $@

console: $(if $(NPM),src/vedette/web/index.html)
	@if [ -z "$(NPM)" ]; then echo "npm is not installed: the console is not built (Vedette runs without it)"; fi

console-tools: $(if $(NPM),ui/node_modules/.package-lock.json)

ui/node_modules/.package-lock.json: ui/package.json ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

src/vedette/web/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run build
	@touch $@

# What the tests drive besides Python: a browser, strace, logrotate.
test-tools:
	@missing=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$$missing chromium"; \
	if [ "$$(uname)" = Linux ]; then for tool in strace logrotate; do command -v $$tool >/dev/null || [ -x /usr/sbin/$$tool ] || missing="$$missing $$tool"; done; fi; \
	if [ -n "$$missing" ]; then \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "installing for the tests:$$missing"; \
	    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	  else echo "please install:$$missing  (tests that need them are skipped)"; fi; \
	fi

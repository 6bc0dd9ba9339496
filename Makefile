# Every target sets up what it needs: a .venv here, built with uv where it is present, else with venv and pip.
.DEFAULT_GOAL := help
SHELL := /bin/bash

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

BIN := .venv/bin
CODE := genmedia blocks tasks flows deployments tests benchmarks
PYTHON ?= $(firstword $(foreach one,python3 python3.13 python3.12 python3.11,$(shell $(one) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(one))))

.PHONY: help demo up test check format bench soak routes schema clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Run a chain of techniques on a photo and open the result in a gallery (LIVE=1 pays with FLORA_API_KEY)
	@$(BIN)/genmedia demo $(if $(LIVE),--live)

up: .venv/.runtime ## Run Prefect, a sandbox and a worker with all deployments, until Ctrl-C
	@$(BIN)/genmedia up

test: .venv/.dev ## Run the tests
	$(BIN)/pytest -n 3 --dist loadfile

check: .venv/.dev ## Format, lint, directions between rooms, types, tests
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(MAKE) test

format: .venv/.dev ## Put the code into its format
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: .venv/.dev ## Measure speed: ratios within one run, and the sandbox under load
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python benchmarks/sandbox.py
	$(BIN)/python benchmarks/free_plan.py
	$(BIN)/python benchmarks/large_file.py
	$(BIN)/python benchmarks/journal.py

soak: .venv/.dev ## Kill processes at random moments and see that nothing is bought twice or lost (KILLS=200)
	$(BIN)/python -m benchmarks.soak $(KILLS)

routes: .venv/.dev ## Write docs/routes.md: which tests use which route of which provider
	$(BIN)/python -m pytest -p tests.routes -n 3 --dist loadfile tests/sandbox tests/library tests/flows tests/project

schema: .venv/.runtime ## Write docs/sidecar.schema.json: the form of what stands beside each file in a store
	$(BIN)/python -c 'from genmedia.provenance.sidecar import schema; print(schema(), end="")' > docs/sidecar.schema.json

clean: ## Remove the environment and what commands left in this folder, but not media/
	rm -rf .venv .genmedia

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "genmedia needs Python 3.11 or newer: install python3 (Debian: apt-get install python3 python3-venv)."; exit 1; }
	@if command -v uv >/dev/null; then uv venv --quiet --python $(PYTHON) .venv; \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --upgrade pip; \
	else echo "This Python cannot make environments: install its venv module (Debian: apt-get install python3-venv) or uv."; exit 1; fi

.venv/.runtime: pyproject.toml | .venv/bin/python
	@echo "Installing genmedia into .venv (once; a minute or two) ..."
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python -e .; else $(BIN)/python -m pip install --quiet -e .; fi
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "Installing the tools for tests and checks (once) ..."
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --group dev; else $(BIN)/python -m pip install --quiet --group dev; fi
	@touch $@

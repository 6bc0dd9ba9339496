# Every target sets up what it needs: a .venv here, built with uv where it is present, else with venv and pip.
.DEFAULT_GOAL := help
SHELL := /bin/bash

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# Tests start hundreds of processes; where no compiled files may be written, each compiles all rooms anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
ALL := .[prefect,sandbox]
TESTED := .[prefect,sandbox,scale-out]
CODE := genmedia blocks tasks flows deployments tests benchmarks examples
EXAMPLE := examples/genmedia-fal
PYTHON ?= $(firstword $(foreach one,python3 python3.13 python3.12 python3.11,$(shell $(one) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(one))))

# What leans on each dependency, with one flow through Prefect.
LOWEST := tests --ignore=tests/end_to_end --ignore=tests/crashes --ignore=tests/sandbox \
	tests/sandbox/test_generio_models.py tests/end_to_end/flows/test_genova_flows.py

SDKS := .genmedia/sdks
FLORA_SDK := $(SDKS)/node_modules/@flora-ai/flora/package.json

.PHONY: help demo up test check lowest format bench-quick bench soak simulate routes schema sdks provider clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Run a campaign over four providers in a sandbox, into a gallery (LIVE=1 pays with the keys in the environment)
	@$(BIN)/genmedia demo $(if $(LIVE),--live)

up: .venv/.runtime ## Run Prefect, a sandbox and a worker with all deployments, until Ctrl-C
	@$(BIN)/genmedia up

test: .venv/.dev sdks ## Run the tests
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -n 4 --dist loadfile $(EXAMPLE)

check: .venv/.dev ## Check format, lint, imports, dependencies and types, then run the tests
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pyright
	$(BIN)/pyright -p $(EXAMPLE)
	$(MAKE) test

lowest: .venv-lowest/.floors ## Run tests with the oldest versions that pyproject.toml allows
	.venv-lowest/bin/pytest -n 2 --dist loadfile $(LOWEST)

format: .venv/.dev ## Format the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench-quick: .venv/.dev ## Measure speed at a small size in about six minutes, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks --quick --document docs

bench: .venv/.dev ## Measure speed at full size for more than an hour, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks --document docs

soak: .venv/.dev ## Kill purchases, applies and workers at random moments, and see that nothing is bought twice or lost (KILLS=200 ITEMS=2000)
	$(BIN)/python -m benchmarks.soak $(KILLS)
	$(BIN)/python -m benchmarks.soak_apply $(KILLS)
	$(BIN)/python -m benchmarks.scale_out $(ITEMS)
	$(BIN)/python -m benchmarks.partial

simulate: .venv/.dev ## Play purchases in virtual time, with crashes, pauses and lost answers (SCHEDULES=20000 SEED=1)
	$(BIN)/python -m benchmarks.simulation $(or $(SCHEDULES),1000) $(SEED)

routes: .venv/.dev ## Write docs/routes.md: which tests use which route of which provider
	$(BIN)/python -m pytest -p tests.routes -n 3 --dist loadfile

schema: .venv/.runtime ## Write the schemas in docs: of a campaign's file, and of what stands beside each file in a store
	$(BIN)/python -c 'from genmedia.store.sidecar import schema; print(schema(), end="")' > docs/sidecar.schema.json
	$(BIN)/python -c 'from genmedia.campaign.file.schema import schema; print(schema(), end="")' > docs/campaign.schema.json

sdks: .venv/.dev ## Install the clients that FLORA and fal have made themselves, for the tests that run them against the sandbox
	@if ! command -v npm >/dev/null; then echo "npm is not installed: tests with FLORA's own client are left out."; \
	elif ! grep -qs '"version": "0.11.0"' $(FLORA_SDK); then \
	npm install --prefix $(SDKS) --no-package-lock --no-save --no-audit --no-fund --ignore-scripts --loglevel error @flora-ai/flora@0.11.0 \
	|| echo "FLORA's own client could not be installed: tests with it are left out."; fi
	@if ! $(BIN)/python -c 'import fal_client' 2>/dev/null; then \
	if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --group $(EXAMPLE)/pyproject.toml:test; \
	else $(BIN)/python -m pip install -qq --group $(EXAMPLE)/pyproject.toml:test; fi \
	|| echo "fal's own client could not be installed: tests with it are left out."; fi

provider: .venv/.dev ## Write the package of a new provider into examples/ (NAME=acme)
	@$(BIN)/python examples/new_provider.py $(NAME)
	@$(BIN)/ruff format --quiet examples/genmedia-$(NAME)

clean: ## Remove the environment and what commands left in this folder, but not media/
	rm -rf .venv .venv-lowest .genmedia

# pip warns of what is not ours to mend, such as an index without a package: `-qq` shows its errors alone.
.venv/bin/python .venv-lowest/bin/python:
	@test -n "$(PYTHON)" || { echo "genmedia needs Python 3.11 or newer: install python3 (Debian: apt-get install python3 python3-venv)."; exit 1; }
	@if command -v uv >/dev/null; then uv venv --quiet --python $(PYTHON) $(@D:/bin=); \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(@D:/bin=) && $@ -m pip install -qq --upgrade pip; \
	else echo "This Python cannot make environments: install its venv module (Debian: apt-get install python3-venv) or uv."; exit 1; fi

.venv/.runtime: pyproject.toml | .venv/bin/python
	@echo "Installing genmedia into .venv (once; a minute or two) ..."
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python -e '$(ALL)'; else $(BIN)/python -m pip install -qq -e '$(ALL)'; fi
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "Installing the tools for tests and checks (once) ..."
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python -e '$(TESTED)' --group dev; \
	else $(BIN)/python -m pip install -qq -e '$(TESTED)' --group dev; fi
	@touch $@

.venv-lowest/.floors: pyproject.toml | .venv-lowest/bin/python
	@echo "Installing the oldest versions into .venv-lowest (once) ..."
	@$(PYTHON) -c "$$FLOORS" > .venv-lowest/floors.txt
	@if command -v uv >/dev/null; then uv pip install --quiet --python .venv-lowest/bin/python -r .venv-lowest/floors.txt -e '$(TESTED)' --group dev; \
	else .venv-lowest/bin/python -m pip install -qq -r .venv-lowest/floors.txt -e '$(TESTED)' --group dev; fi
	@touch $@

define FLOORS
import re, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
for one in [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]:
    print(re.sub(r">=([^,; ]+)[^;]*", r"==\1 ", one))
endef
export FLOORS

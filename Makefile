# Two commands matter: `make demo` and `make test`. Each sets up what it needs; everything lives in .venv and .strandline.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# The first of these that is Python 3.11 to 3.13; `make setup PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test lint format lock docs bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## install everything into .venv, with checked hashes

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "strandline: no Python 3.11, 3.12 or 3.13 found; install one, or run: make setup PYTHON=/path/to/python3" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { echo "strandline: $(PYTHON) has no venv module; install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; }
	"$(PYTHON)" -m venv --clear .venv
	@awk '/^[^ #]/{on = /^uv==/} on' requirements-dev.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# A relative path: with LC_ALL=C Python does not even start when a path file holds other letters than ASCII.
	@echo ../../../../include > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/_editable_impl_strandline.pth"
	@touch $(READY)

demo: setup ## the whole pipeline on simulated venues; ONCE=1 ends after the first cycle
	@exec $(BIN)/strandline demo $(if $(ONCE),--once)

# Airflow is some thousand modules, which would be compiled again in each process that the tests start.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup ## every test, on an embedded Postgres of its own
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=loadfile --no-loadscope-reorder

lint: setup ## style, types, and who may import whom
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

format: setup ## put the code into its form
	$(BIN)/python -m ruff check --fix
	$(BIN)/python -m ruff format

LOCK := $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock'

lock: setup ## resolve requirements*.in anew into requirements*.txt
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

docs: setup ## write docs/configuration.md, docs/schema.md and .env.example from the code
	$(BIN)/strandline config docs > docs/configuration.md
	$(BIN)/strandline config example > .env.example
	@# The schema comes from a new database, so that the page does not depend on the one in use.
	@home=$$(mktemp -d) && export STRANDLINE_HOME="$$home" STRANDLINE_ENV_FILE=/dev/null && unset STRANDLINE_DATABASE_URL \
	&& trap '$(BIN)/strandline pg stop >/dev/null; rm -rf "$$home"' EXIT \
	&& $(BIN)/strandline pg start && $(BIN)/strandline db migrate && $(BIN)/strandline db docs > docs/schema.md

bench: setup ## measure what must be fast, and write docs/performance.md
	$(BIN)/python -m benchmarks all --page docs/performance.md

clean: ## stop what runs from here and remove what was built; data in .strandline stays
	-@if [ -x $(BIN)/strandline ]; then $(BIN)/strandline pg stop; fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find include tests dags plugins benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

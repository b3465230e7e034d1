# One environment in .venv for everything; PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOADED := $(VENV)/.loaded
TEST_LOADED := $(VENV)/.test-loaded
# Tests side by side, a file to a worker: most of their time is waiting. WIDE= runs them one after the other.
WIDE := -n 3 --dist loadfile

.PHONY: help demo test test-postgres check lint crash bench soak shots clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(LOADED): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TEST_LOADED): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgres,redis,test]'
	@touch $@ $(LOADED)

demo: $(LOADED)  ## The product with the local WeCom and a small company, nothing to set up
	@$(BIN)/scrm demo $(ARGS)

test: $(TEST_LOADED)  ## All tests on SQLite; names what this machine cannot run
	$(BIN)/python -m pytest $(WIDE) $(ARGS)

test-postgres: $(TEST_LOADED)  ## All that touches our database again, on PostgreSQL and Redis
	SCRM_TEST_BACKEND=postgres $(BIN)/python -m pytest $(WIDE) --ignore=tests/architecture --ignore=tests/unit/sandbox \
	  --ignore=tests/crash --ignore-glob='tests/contract/test_sandbox_*' $(ARGS)

lint: $(TEST_LOADED)  ## Formatter, linter, types, import contracts, docs, vendored files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## Everything a change must pass

crash: $(TEST_LOADED)  ## 100 rounds of SIGKILL under load (BACKEND=sqlite or postgres)
	$(BIN)/python -m tests.crash.crash_run --rounds 100 --backend $(or $(BACKEND),sqlite)

bench: $(TEST_LOADED)  ## The figures: callback door, scan to welcome, sidebar
	$(BIN)/python -m benchmarks.callback_door
	$(BIN)/python -m benchmarks.scan_to_welcome
	$(BIN)/python -m benchmarks.first_paint
	$(BIN)/python -m benchmarks.sidebar

soak: $(TEST_LOADED)  ## 30 minutes at 50 callbacks a second: memory and queues
	$(BIN)/python -m benchmarks.soak

shots: $(TEST_LOADED)  ## Take the README's pictures from a running demo
	$(BIN)/python -m docs.take_pictures

clean:  ## Remove the environment and the demo's data
	rm -rf $(VENV) var

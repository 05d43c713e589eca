# Every target sets up what it needs: Python 3.11+ with pip and make is all that must be there.
PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Each process of the tests would compile all that it imports again.
unexport PYTHONDONTWRITEBYTECODE
# Half the time: no environment for each of the plugins to be built in, and what is never imported is not compiled.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
TESTS ?=

BENCH ?=
BENCH_LIMIT ?= 300

N ?= 100000
SPECS ?= 2000

.PHONY: demo quick test test-all lint-and-warm warm fuzz soak audit bench docs docs-serve lint clean help

help:
	@echo "make demo      map GPT-3 6.7B onto the TPU-like accelerator, one mapping for each fusion setting, into out/demo"
	@echo "make quick     lint of what changed, and the unit tests without the oracle: under a minute"
	@echo "make test      the tests; TESTS='path -k name' runs some of them"
	@echo "make test-all  the slow ones too"
	@echo "make fuzz      N=100000 damaged specs, mappings, folders and plugins, into out/fuzz; goes on where it stopped"
	@echo "make soak      SPECS=2000 random specs through one process, whose memory must not grow, into out/soak"
	@echo "make audit     a bill of materials, and what is known of its vulnerabilities, into out/audit"
	@echo "make bench     time and memory of whole processes, into bench/results; BENCH='gpt3 chain' runs some of it"
	@echo "make docs      the documentation as a site that works without a network, into site; docs-serve shows it"
	@echo "make lint      ruff and mypy --strict"

$(STAMP): requirements-dev.txt pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS))
	@test -n "$(PYTHON)" || { echo "ffcore needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -r requirements-dev.txt
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m demo.ladder --out out/demo

# What changed against the last commit, and tests of single parts that need no exhaustive mapper and no process of their own.
QUICK := tests/spec tests/mapping tests/model tests/render tests/results tests/test_files.py tests/test_phases.py tests/test_units.py \
	tests/plugin/test_manager.py plugins/graphviz_render plugins/tpu_arch --ignore=tests/spec/test_zoo.py --ignore=tests/spec/test_bounds.py
quick: $(STAMP)
	@changed=$$({ git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard; } | grep '\.py$$'); \
	test -z "$$changed" || { $(BIN)/ruff check $$changed && $(BIN)/ruff format --check --quiet $$changed; }
	$(BIN)/python -m pytest -q -n 2 -m "not slow" $(QUICK)

# Kernels are compiled beside the lint, once: else each process of the tests that comes first does it for itself.
lint-and-warm: $(STAMP)
	@$(MAKE) --no-print-directory -j 2 lint warm

warm: $(STAMP)
	-FFCORE_JOBS=1 $(BIN)/python -m tests.warm

# A test that waits for ever fails by name, instead of keeping CI until it is killed.
test: lint-and-warm
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --timeout 600 $(TESTS)

test-all: lint-and-warm
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

fuzz: $(STAMP)
	nice -n 10 $(BIN)/python -m tests.fuzz $(N)

soak: $(STAMP)
	$(BIN)/python -m tests.soak $(SPECS)

# Needs the network for what is known of vulnerabilities; the bill of materials is written without it.
audit: $(STAMP)
	$(BIN)/python -m tests.supply.audit out/audit

# A job past BENCH_LIMIT seconds is reported as such and is no error.
bench: $(STAMP)
	$(BIN)/python -m bench $(BENCH) --limit $(BENCH_LIMIT)

# The variable silences an announcement that mkdocs-material prints at each run, which is no warning about our pages. Not
# --quiet: mkdocs does not count the warnings that it does not print.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --strict

lint: $(STAMP)
	$(BIN)/ruff check ffcore plugins tests demo bench docs
	$(BIN)/ruff format --check --quiet ffcore plugins tests demo bench docs
	$(BIN)/mypy ffcore demo bench $(addsuffix /src,$(PLUGINS))

clean:
	rm -rf out site .pytest_cache .mypy_cache .ruff_cache

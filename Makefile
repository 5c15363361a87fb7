# scorehost
#
#   make serve                     a scikit-learn model on 127.0.0.1:5001
#   make serve PORT=5002
#   make test                      lints, C tests, package and end-to-end tests
#   make test PYTHON=python3.10    the same under that CPython
#   make test ALL_PYTHONS=1        and the Python tests under every other one
#   make lint | test-c | test-package | format | clean
#   make fuzz SECONDS=60           new inputs for each fuzz target
#
# Each does the set-up it needs and says so. A step that is done leaves a stamp
# (in build/, or in the environment that it filled) and is not done again until
# what it reads changes.
# C alone: cd csrc && cmake --preset dev (csrc/README.md).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?=
ALL_PYTHONS ?= 0
PORT ?= 5001
HOST ?= 127.0.0.1
export PORT HOST
# For a build folder that is new; one that exists keeps its own.
export CMAKE_GENERATOR ?= Ninja

# Another CPython has an environment of its own beside the usual one.
VENV := $(if $(PYTHON),build/venv-$(notdir $(PYTHON)),.venv)
STAMPS := $(VENV)/.stamps
BIN := $(VENV)/bin
SAY := printf '==> %s\n'

C_FILES = $(shell find csrc tests/unit tests/fuzz benchmarks -name '*.c' 2>/dev/null | sort)
H_FILES = $(shell find csrc tests/unit tests/fuzz benchmarks -name '*.h' 2>/dev/null | sort)
SOURCES = $(shell find csrc python -type f ! -name '*.md' ! -name '*.pyc' | sort) pyproject.toml

.PHONY: help
help:
	@sed -n '3,9s/^# \{0,3\}//p' Makefile

# ---- set-up -----------------------------------------------------------

build/stamps/system-build: .ci/packages.sh .ci/find-python.sh
	@$(SAY) "looking for compilers and libraries"
	@.ci/packages.sh build
	@mkdir -p $(@D) && touch $@

build/stamps/system-test: .ci/packages.sh .ci/find-python.sh
	@$(SAY) "looking for compilers, libraries and test tools"
	@.ci/packages.sh test
	@mkdir -p $(@D) && touch $@

# $(call venv,extras): the environment, with the packages of these extras.
venv = .ci/venv.sh $(VENV) $(or $(PYTHON),newest) $1

$(STAMPS)/packages: pyproject.toml | build/stamps/system-build
	@$(call venv,example)
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test-packages: pyproject.toml | build/stamps/system-test
	@$(call venv,test)
	@mkdir -p $(@D) && touch $@ $(STAMPS)/packages

$(STAMPS)/lint-packages: pyproject.toml | $(STAMPS)/test-packages
	@$(call venv,test lint)
	@touch $@

$(STAMPS)/installed: $(SOURCES) | $(STAMPS)/packages
	@$(SAY) "building scorehost and installing it in $(VENV)"
	@$(BIN)/python -m pip -q --disable-pip-version-check install \
	    --no-build-isolation --no-deps --force-reinstall .
	@mkdir -p $(@D) && touch $@

# ---- make serve -------------------------------------------------------

EXAMPLE := tests/scripts/sklearn_iris

# A model is stored by one version of scikit-learn and loaded by the same.
$(STAMPS)/model: $(EXAMPLE)/train.py pyproject.toml | $(STAMPS)/packages
	@$(SAY) "training the example model"
	@$(BIN)/python $(EXAMPLE)/train.py $(VENV)/iris
	@touch $@

.PHONY: serve
serve: $(STAMPS)/installed $(STAMPS)/model
	@exec .ci/serve.sh $(VENV) $(VENV)/iris

# ---- make test --------------------------------------------------------

.PHONY: test
test: lint test-c test-package test-kinds test-others

.PHONY: lint
lint: lint-format lint-house lint-python lint-cppcheck lint-tidy

.PHONY: lint-format
lint-format: $(STAMPS)/lint-packages
	@$(SAY) "clang-format"
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES) $(H_FILES) || \
	    { $(SAY) "make format puts it right"; exit 1; }

.PHONY: lint-house
lint-house: $(STAMPS)/lint-packages
	@$(SAY) "the rules of the house, and their own tests"
	@$(BIN)/python tests/lint/house.py
	@$(BIN)/python -m pytest -q tests/lint

.PHONY: lint-python
lint-python: $(STAMPS)/lint-packages
	@$(SAY) "flake8"
	@$(BIN)/python -m flake8 python tests benchmarks .ci
	@$(SAY) "mypy --strict"
	@$(BIN)/python -m mypy

.PHONY: lint-cppcheck
lint-cppcheck: build/dev/compile_commands.json
	@$(SAY) "cppcheck"
	@mkdir -p build/cppcheck
	@cppcheck -q --project=$< -j "$$(nproc)" --error-exitcode=1 \
	    --enable=warning,performance,portability --inline-suppr \
	    --suppressions-list=tests/lint/cppcheck.txt \
	    --cppcheck-build-dir=build/cppcheck

.PHONY: lint-tidy
lint-tidy: build/dev/compile_commands.json
	@$(SAY) "clang-tidy"
	@.ci/tidy.sh clang-tidy-19 build/dev $(C_FILES)

# $(call preset,name): configures a preset of csrc/ for this Python.
preset = (cd csrc && cmake --preset $1 \
    -DPython_EXECUTABLE=$(abspath $(BIN)/python) >../build/$1.log) || \
    { tail -n 20 build/$1.log; exit 1; }

build/dev/compile_commands.json: $(C_FILES) csrc/CMakeLists.txt \
    $(wildcard csrc/cmake/*) | $(STAMPS)/test-packages
	@$(call preset,dev)
	@touch $@

.PHONY: test-c
test-c: test-c-dev test-c-asan test-c-tsan

.PHONY: test-c-%
test-c-%: $(STAMPS)/test-packages
	@$(SAY) "C tests, preset $*"
	@$(call preset,$*)
	@cd csrc && cmake --build --preset $* && ctest --preset $*

PYTEST := $(BIN)/python -m pytest -q --timeout=300

# Most tests wait for a program most of the time: more of them than CPUs run
# at once. Each has its own ports and folder.
AT_ONCE := -n 4 --dist worksteal

# The package alone; the real program on loopback; the real program against
# what Microsoft's server answered.
.PHONY: test-package
test-package: $(STAMPS)/test-packages $(STAMPS)/installed
	@for folder in python e2e; do \
	    $(SAY) "tests/$$folder, $$($(BIN)/python -V)"; \
	    $(PYTEST) $(AT_ONCE) tests/$$folder; \
	done
	@$(SAY) "tests/differential, $$($(BIN)/python -V)"
	@$(PYTEST) tests/differential

# The real program once more, with each other kind of worker. Interpreters
# with a lock of their own are sound from 3.12.4 on.
.PHONY: test-kinds
test-kinds: $(STAMPS)/test-packages $(STAMPS)/installed
	@kinds=thread; \
	! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12, 4))' \
	    || kinds="$$kinds interpreter"; \
	for kind in $$kinds; do \
	    $(SAY) "tests/e2e, kind $$kind, $$($(BIN)/python -V)"; \
	    $(PYTEST) $(AT_ONCE) tests/e2e --worker_kind $$kind; \
	done

# Everything at once that may befall a host, for longer, and the host under
# the address and undefined behaviour sanitizers. Python's own memory is not
# ours to judge: leaks are looked for by the unit tests.
CHAOS_SECONDS ?= 60
CHAOS_KINDS ?= process thread interpreter

.PHONY: test-chaos-asan
test-chaos-asan: $(STAMPS)/test-packages $(STAMPS)/installed
	@$(SAY) "building scorehost-host, preset asan-host"
	@$(call preset,asan-host)
	@cd csrc && cmake --build --preset asan-host
	@for kind in $(CHAOS_KINDS); do \
	    $(SAY) "chaos, kind $$kind, $(CHAOS_SECONDS) s"; \
	    CHAOS_SECONDS=$(CHAOS_SECONDS) VIRTUAL_ENV=$(abspath $(VENV)) \
	    SCOREHOST_COMMAND=$(abspath build/asan-host/scorehost-host) \
	    ASAN_OPTIONS=detect_leaks=0 \
	    $(PYTEST) --timeout=900 tests/e2e/test_chaos.py --worker_kind $$kind; \
	done

# The Python tests once more under each other CPython of this machine.
.PHONY: test-others
test-others:
ifeq ($(ALL_PYTHONS),1)
	@mine=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	.ci/find-python.sh all | while read -r version python; do \
	    [ "$$version" = "$$mine" ] || \
	        $(MAKE) test-package PYTHON="$$python" </dev/null; \
	done
endif

SECONDS ?= 60

.PHONY: fuzz
fuzz:
	@.ci/packages.sh fuzz
	@$(SAY) "fuzzing, $(SECONDS) s each"
	@mkdir -p build
	@(cd csrc && cmake --preset fuzz >../build/fuzz.log) || \
	    { tail -n 20 build/fuzz.log; exit 1; }
	@cd csrc && cmake --build --preset fuzz
	@for program in build/fuzz/tests/fuzz/fuzz_*; do \
	    [ -x "$$program" ] && [ -f "$$program" ] || continue; \
	    what=$${program##*/fuzz_}; mkdir -p build/corpus/$$what; \
	    $(SAY) "$$what"; \
	    "$$program" -max_total_time=$(SECONDS) -print_final_stats=1 \
	        build/corpus/$$what tests/fuzz/corpus/$$what; \
	done

# ---- the rest ---------------------------------------------------------

.PHONY: format
format: $(STAMPS)/lint-packages
	@$(BIN)/clang-format -i $(C_FILES) $(H_FILES)

.PHONY: clean
clean:
	rm -rf build .venv

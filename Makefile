# Everything a developer does, by name. `make` alone lists it.
#
# Variables: PYTHON (the interpreter that makes the environments, 3.10 or newer), VENV (where),
# PIP_ARGS (for every `pip install`), LOCKED (1: only files with the hashes of requirements/locks; cpu:
# and no CUDA, for a PyTorch that is there already), WORKERS (processes that test; 0: none but pytest's own),
# DEMO_ARGS, FAULTS_ARGS, SOAK_ARGS, FUZZ_ARGS, AUDIT_ARGS and PYTEST_ARGS (passed on).

PYTHON ?= python3
VENV ?= .venv
KILTED_VENV ?= .venv-kilted
PLAIN_VENV ?= .venv-plain
AUDIT_VENV ?= .venv-audit
PIP_ARGS ?=
LOCKED ?=
WORKERS ?= 2
DEMO_ARGS ?=
SOAK_ARGS ?=
FUZZ_ARGS ?=
AUDIT_ARGS ?=
FAULTS_ARGS ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check
PIP_VERSION := 26.3
PINS := requirements/base.txt requirements/constraints.txt requirements/pusht.txt
PACKAGING := setup.py setup.cfg

# The environment is complete in itself: a sourced ROS installation, or another environment's wheels,
# would put a second rclpy on its path.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONHOME PYTHONPATH
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION _ROS_WHEELS_BOOTSTRAP_COMPLETE

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types pytest build test-kilted test-plain coverage faults fuzz soak \
  licences lock audit clean distclean

help:  ## list the targets
	@printf 'Targets:\n'
	@sed -n -E 's/^([a-z-]+):[^#]*## (.*)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	  | while IFS='|' read -r name text; do printf '  %-12s %s\n' $$name "$$text"; done
	@printf 'The environment is made on first use, with PYTHON=%s.\n' '$(PYTHON)'

venv: $(VENV)/.ready  ## make the pinned environment in .venv (ROS 2 Jazzy from wheels)

demo: venv  ## drive a simulated robot to goal pictures over ROS 2; the report is in out/demo
	$(BIN)/sparse-imagination demo $(DEMO_ARGS)

faults: venv  ## cause one fault after another to a planner that drives; the table is in out/faults.json
	$(BIN)/sparse-imagination faults --json out/faults.json $(FAULTS_ARGS)

test: lint types pytest  ## lint, types and all tests

lint: venv  ## ruff, and flake8 with the rules of ament_flake8 and ament_pep257
	$(BIN)/ruff check .
	$(BIN)/flake8 .

types: venv  ## mypy, strict
	$(BIN)/mypy

# A module's tests stay together, unless one worker has nothing left to do: what a module trains or
# starts once is seldom made twice.
PYTEST := pytest -n $(WORKERS) --dist worksteal

pytest: venv  ## the tests alone, in random order, by WORKERS processes
	$(BIN)/$(PYTEST) $(PYTEST_ARGS)

build: venv  ## colcon build into build/, install/ and log/, and check what it installed
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/colcon --log-base log build --executor sequential \
	  --build-base build --install-base install
	.ci/check-install install/sparse_imagination_ros

test-kilted: $(KILTED_VENV)/.ready  ## the tests that start ROS 2 nodes, on ROS 2 Kilted in .venv-kilted
	$(KILTED_VENV)/bin/$(PYTEST) -m ros $(PYTEST_ARGS)

coverage: venv  ## lines and branches that no test reaches, first of all on the safety path
	rm -f .coverage .coverage.*
	$(BIN)/$(PYTEST) --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/coverage report --skip-covered --skip-empty
	$(BIN)/coverage json -q -o out/coverage.json
	.ci/safety-coverage out/coverage.json

fuzz: venv  ## bad input (FUZZ_ARGS) to all that reads any; out/fuzz.json
	$(BIN)/python test/fuzz.py --json out/fuzz.json $(FUZZ_ARGS)

soak: venv  ## drive for an hour (SOAK_ARGS) and show that nothing grows or is lost; out/soak.json
	$(BIN)/sparse-imagination soak --json out/soak.json $(SOAK_ARGS)

licences: venv  ## what is installed, and under which licences
	$(BIN)/python .ci/licences

lock: venv  ## write requirements/locks/ anew, with the hash of every file
	$(BIN)/python .ci/lock

audit: $(AUDIT_VENV)/.ready  ## known weaknesses of what is pinned (asks an advisory service)
	$(AUDIT_VENV)/bin/pip-audit --strict --disable-pip --require-hashes \
	  $(addprefix -r ,$(wildcard requirements/locks/*.txt)) $(AUDIT_ARGS)

test-plain: $(PLAIN_VENV)/.ready  ## a selection of tests with numpy 1.26 and no extras, in .venv-plain
	$(PLAIN_VENV)/bin/pytest -m 'not ros' $(PLAIN_TESTS) $(PYTEST_ARGS)

clean:  ## remove build products and caches (not the environments, not out/)
	rm -rf build install log sparse_imagination_ros.egg-info .pytest_cache .mypy_cache .ruff_cache
	find sparse_imagination_ros launch test -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## and the environments
	rm -rf $(VENV) $(KILTED_VENV) $(PLAIN_VENV) $(AUDIT_VENV)

$(VENV)/.ready: requirements/dev.txt $(PINS) $(PACKAGING)
	$(call make_venv,$(VENV),requirements/dev.txt)

$(KILTED_VENV)/.ready: requirements/kilted.txt $(PINS) $(PACKAGING)
	$(call make_venv,$(KILTED_VENV),requirements/kilted.txt)

$(PLAIN_VENV)/.ready: requirements/plain.txt
	$(call make_bare_venv,$(PLAIN_VENV),requirements/plain.txt)
	PYTHONWARNINGS=ignore $(PLAIN_VENV)/bin/python $(PIP) install -q --no-deps --no-build-isolation -e .
	$(PLAIN_VENV)/bin/python $(PIP) check
	@touch $@

$(AUDIT_VENV)/.ready: requirements/audit.txt
	$(call make_bare_venv,$(AUDIT_VENV),requirements/audit.txt)
	@touch $@

# What tests without any extra and without ROS: from picture to plan, and through the gate.
PLAIN_TESTS := $(addprefix test/test_,$(addsuffix .py,audit budget bundle closed_loop encoders \
  estimates frames gate latency mppi objective plan plain planner predictor proposals realtime \
  rhythm seen subsets watchdog wiring worker world))

define make_bare_venv
	@test -x $(1)/bin/python || '$(PYTHON)' -m venv $(1)
	$(1)/bin/python $(PIP) install -q $(PIP_ARGS) pip==$(PIP_VERSION)
	$(1)/bin/python $(PIP) install $(PIP_ARGS) -r $(2)
endef

# $(1): folder, $(2): requirements. The stamp is written last: what broke off is taken up again.
# gym-pusht is not there during the check, since it asks for a second OpenCV (requirements/pusht.txt).
define make_venv
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "error: no '$(PYTHON)' on the PATH: install Python 3.10 or newer, or name one: make venv PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $(PYTHON) is $$('$(PYTHON)' --version 2>&1), 3.10 or newer is needed; name another: make venv PYTHON=python3.12" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: sudo apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into $(1): the first time fetches PyTorch and the ROS 2 wheels and takes minutes."
	@test -x $(1)/bin/python || '$(PYTHON)' -m venv $(1)
	$(1)/bin/python $(PIP) install -q $(PIP_ARGS) pip==$(PIP_VERSION)
	$(1)/bin/python $(PIP) install $(PIP_ARGS) $(if $(LOCKED),$(LOCKS),-r $(2))
	PYTHONWARNINGS=ignore $(1)/bin/python $(PIP) install -q --no-deps --no-build-isolation -e .
	$(1)/bin/python $(PIP) uninstall -qq -y -r requirements/pusht.txt
	$(1)/bin/python $(PIP) check
	$(1)/bin/python $(PIP) install -q $(PIP_ARGS) $(if $(LOCKED),$(LOCKS),--no-deps -r requirements/pusht.txt)
	@touch $@
endef

# Nothing is resolved: all is in the lock, and `pip check` sees whether it fits together.
LOCKS = --require-hashes --no-deps $(foreach part,dev $(if $(filter cpu,$(LOCKED)),,cuda),-r \
  requirements/locks/$(part)-$(shell '$(PYTHON)' -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt)

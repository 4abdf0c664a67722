# A newcomer needs two of these: `make study` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready
TORCH := .venv-torch
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: setup study test lint types contracts slow long notebooks faults simulation servers torch docs lock

setup: $(READY)

# pip compiles the packages it installs to byte code, also where PYTHONDONTWRITEBYTECODE is set; ours
# are installed in place, so they are compiled here.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "mishstudy needs Python 3.11, 3.12 or 3.13, and this is " + sys.version.split()[0] + "; name another one: make setup PYTHON=python3.12")'
	@echo "Making the environment in $(VENV): a minute or two." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --compile --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q mishstudy sweeps study analysis
	@touch $(READY)

study: $(READY)
	@$(BIN)/mishstudy sweep sweeps/quickstart.toml

# What is in one file stays in one process, as it shares what it has set up; by name, since files of few tests
# are the long ones and would come last.
test: $(READY)
	$(PYTEST) $(SIDE_BY_SIDE)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pyright

contracts: $(READY)
	$(BIN)/lint-imports

# Minutes rather than seconds: kills in the quickstart, deep networks step by step. The notebooks have a target of
# their own.
slow: $(READY)
	$(PYTEST) $(SIDE_BY_SIDE) -m 'slow and not long' --ignore tests/test_notebooks.py

# The longest of the slow ones, not a part of the gate: every optimizer in every program, both engines and samplers.
long: $(READY)
	$(PYTEST) $(SIDE_BY_SIDE) -m long

notebooks: $(READY)
	$(PYTEST) -m slow tests/test_notebooks.py

# Kills, full disks, servers that fail: whatever carries this marker, slow or not.
faults: $(READY)
	$(PYTEST) $(SIDE_BY_SIDE) -m 'faults and not postgres and not long'

# Half an hour: the statistics on hundreds of simulated sweeps; `make test` has a few of each.
simulation: $(READY)
	$(PYTEST) --numprocesses 2 -m simulation --timeout 3600

# Needs Chromium and PostgreSQL.
servers: $(READY)
	$(PYTEST) -m 'browser or postgres'

# The activations on PyTorch tensors, in an environment that has PyTorch and little else.
torch: $(TORCH)/.ready
	PYTHONPATH=. $(TORCH)/bin/python -m pytest --noconftest -m torch tests/test_activations_torch.py

$(TORCH)/.ready: requirements-torch.txt
	@$(PYTHON) -m venv $(TORCH)
	@$(TORCH)/bin/python -m pip install --disable-pip-version-check --quiet --requirement requirements-torch.txt
	@touch $@

docs: $(READY)
	$(BIN)/mkdocs build --strict

LOCK := --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 --custom-compile-command "make lock"

# Writes no index URL: the lock is valid for every mirror.
lock:
	uv pip compile $(LOCK) --extra dev pyproject.toml --output-file requirements.lock
	uv pip compile $(LOCK) --extra gpu --extra postgres --extra cluster --constraint requirements.lock pyproject.toml --output-file requirements-gpu.lock

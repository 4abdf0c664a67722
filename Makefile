# A newcomer needs two of these: `make study` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup study test lint types contracts slow notebooks docs lock clean

setup: $(READY)

# pip compiles to byte code on install even where PYTHONDONTWRITEBYTECODE is set; our own four
# packages are installed in place and compiled by the last line.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "mishstudy needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Name another one: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --compile --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

study: $(READY)
	$(BIN)/mishstudy sweep sweeps/quickstart.toml

test: $(READY)
	$(BIN)/python -m pytest

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 --extra dev pyproject.toml --output-file requirements.lock

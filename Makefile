# Two commands on a fresh machine: `make demo` and `make test`. All else is for developers.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# A stamp is newer than pyproject.toml when its extra is installed as now declared.
# The `dev` extra contains `hw`, so installing `dev` renews both.
HW_STAMP  := $(VENV)/installed-hw
DEV_STAMP := $(VENV)/installed-dev

DEMO_MODEL := models/digits_cnn_w1a1.onnx
DEMO_DIR   := build/demo
DEMO_INPUT := build/digits_images.npy
DEMO_LABELS := build/digits_labels.npy

.PHONY: help venv demo test test-full lint format bench clean distclean
.DELETE_ON_ERROR:

help:
	@echo "make demo       set up, build one of our networks for every target, summarise"
	@echo "make test       set up, run lit and pytest"
	@echo "make test-full  the same with the long sweeps"
	@echo "make lint       ruff, ruff format, pyright"
	@echo "make bench      the measurements behind the figures we state"
	@echo "make clean      remove build/; make distclean: the environment too"

venv: $(DEV_STAMP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "qnnc needs Python 3.11 or later; give it as: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(HW_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing qnnc and its hardware tools into $(VENV) ..."
	@$(PIP) install --quiet -e '.[hw]'
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing qnnc and its development tools into $(VENV) ..."
	@$(PIP) install --quiet -e '.[dev]'
	@touch $(HW_STAMP) $@

$(DEMO_INPUT): models/digits_test.npz | $(HW_STAMP)
	@mkdir -p $(@D)
	@$(BIN)/python -c 'import sys, numpy as np; d = np.load(sys.argv[1]); \
	  np.save(sys.argv[2], d["inputs"].reshape(-1, 1, 8, 8)); \
	  np.save(sys.argv[3], d["labels"])' \
	  $< $(DEMO_INPUT) $(DEMO_LABELS)

demo: $(HW_STAMP) $(DEMO_INPUT)
	$(BIN)/qbuild $(DEMO_MODEL) -o $(DEMO_DIR) --target-fps 400000 --clock-mhz 200 \
	  --input $(DEMO_INPUT) --labels $(DEMO_LABELS) --frames 360

test: $(DEV_STAMP)
	$(BIN)/lit filecheck_tests
	$(BIN)/pytest

test-full: $(DEV_STAMP)
	$(BIN)/lit filecheck_tests
	$(BIN)/pytest -m "slow or not slow"

lint: $(DEV_STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV_STAMP)
	@for script in benchmarks/*.py; do \
	  echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf $(VENV)

# Two commands do everything on a fresh machine: `make lab` and `make test`.
# Each creates .venv by itself; nothing else needs to be installed or activated first.

PYTHON ?= python3
PORT ?=
VENV := .venv
BIN := $(VENV)/bin
# Two files of tests at a time: most of them wait for compilers, and none needs a quiet machine.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: lab test test-all check unit lint format bench bench-sweep truth pictures notebooks site binder badge clean

lab: $(VENV)/.installed  ## JupyterLab on the Explorer (PORT=8899 chooses the port)
	$(BIN)/optkit lab $(if $(PORT),--port $(PORT))

test: $(VENV)/.installed-test  ## every test but the ones that take minutes each
	@scripts/ensure-chromium
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: $(VENV)/.installed-test  ## everything
	@scripts/ensure-chromium
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: lint unit  ## what to run before each commit: format, lint, types, unit tests

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src

unit: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "not worker and not browser and not notebook and not slow"

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-test  ## what measuring costs: per call, per start, per study
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/study_cost.py

bench-sweep: $(VENV)/.installed-test  ## what a sweep adds, how it scales, and what it survives; a quarter of an hour
	$(BIN)/python benchmarks/sweep.py

truth: $(VENV)/.installed-test  ## studies whose answer is known, alone and beside a neighbour; most of an hour
	$(BIN)/python benchmarks/truth.py

pictures: $(VENV)/.installed-test  ## docs/images, after a real study in real JupyterLab; a quarter of an hour
	@scripts/ensure-chromium
	$(BIN)/python scripts/screenshots.py

notebooks: $(VENV)/.installed-test  ## every tutorial in smoke mode, and a gallery of them in build/gallery
	$(BIN)/optkit notebooks --smoke --output build/notebooks --html build/gallery

site: $(VENV)/.installed-test  ## build/site: executed tutorials, the reference and the pages of docs
	$(BIN)/python scripts/site.py

binder: $(VENV)/.installed-test  ## do what Binder does, in a clean virtual environment, and run 00 there
	$(BIN)/python scripts/binder.py

badge:  ## whose repository the Binder badge opens: make badge REPO=owner/name
	@$(PYTHON) scripts/badge.py $(REPO)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "optkit needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "pip>=25.1"
	@touch $@

$(VENV)/.installed: $(VENV)/.pip pyproject.toml constraints.txt
	$(PIP) install --quiet -c constraints.txt -e ".[onnx,quant,dask]"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt --group test
	@touch $@

# make demo    train a small study on real Fashion-MNIST, write its table and figure; installs what that takes
# make pages   build every committed study's page and vector figures from its records, without training
# make docs    build the documentation into build/site
# make reference  write the parts of docs/ anew that are taken from the code
# make bench-gpu  measure on a GPU; with WHEELS=FOLDER without a registry, from what make wheels-gpu WHEELS=FOLDER got elsewhere
# make test    linters, types and tests, as CI runs them; installs what developers need
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install -q --disable-pip-version-check
DEBIAN_DATA := /usr/share/datasets/fashion-mnist
APT := DEBIAN_FRONTEND=noninteractive apt-get
RESULTS ?= outputs
# PyPI's PyTorch for Linux brings 4 GB of CUDA; https://download.pytorch.org/whl/cpu is the index of builds without.
TORCH_INDEX ?=
# Of the machine with the GPU: its Python's version, and what python -m benchmarks.gpu is told.
GPU_PYTHON ?= 3.12
GPU_OPTIONS ?=

.PHONY: demo pages check-pages docs reference test test-all lint data bench bench-gpu wheels-gpu clean

demo: $(VENV)/.installed data
	$(BIN)/ablate sweep quickstart results=$(RESULTS)
	$(BIN)/ablate report quickstart results=$(RESULTS)

# Committed are records, tables and PNG figures; pages and SVG are made from them.
pages: $(VENV)/.installed
	$(BIN)/ablate report quickstart lenet_article combination_readings
	$(BIN)/ablate report search

# axe-core in chromium at 400 and 1400 px, light and dark: no serious findings, no console errors, nothing wider than the window.
check-pages: $(VENV)/.developed
	$(BIN)/python tests/report/browser.py $(wildcard results/*/report.html results/*/search.html results/index.html)

docs: $(VENV)/.developed
	$(BIN)/mkdocs build -q

reference: $(VENV)/.developed
	$(BIN)/python docs/reference.py

test: lint data
	$(BIN)/pytest -n 2 --dist worksteal -q -m "not slow"

test-all: lint data
	$(BIN)/pytest -n 2 --dist worksteal -q

lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Debian's package where it can be installed, else torchvision's download; verified either way.
data: $(VENV)/.installed
	@if [ ! -d $(DEBIAN_DATA) ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(APT) update -qq && $(APT) install -y -qq dataset-fashion-mnist || true; fi
	$(BIN)/ablate data fashion_mnist

bench: $(VENV)/.developed data
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.own_networks --out results/benchmarks/own_networks.md
	$(BIN)/python -m benchmarks.memory --out results/benchmarks/memory.md

wheels-gpu: $(VENV)/.installed data
	$(BIN)/python -m benchmarks.gpu.wheels $(or $(WHEELS),build/gpu-wheels) --python $(GPU_PYTHON)

# Beside PyTorch, not above it: an environment made from another one does not see that one's packages.
bench-gpu:
	$(if $(WHEELS),$(PYTHON) -m pip install -q --disable-pip-version-check --no-index --no-deps --upgrade \
		--target build/gpu-packages $(WHEELS)/*.whl)
	PYTHONPATH=$(CURDIR):$(CURDIR)/build/gpu-packages $(PYTHON) -m benchmarks.gpu $(GPU_OPTIONS) \
		$(addprefix --data ,$(or $(DATA),$(if $(WHEELS),$(wildcard $(WHEELS)/fashion-mnist))))

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch torchvision)
	$(PIP) -e .
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

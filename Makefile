# make demo    train a small study on real Fashion-MNIST, write its table and figure
# make pages   build every committed study's page and vector figures from its records, without training
# make docs    build the documentation into build/site
# make test    linters, types and tests, as CI runs them
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEBIAN_DATA := /usr/share/datasets/fashion-mnist
APT := DEBIAN_FRONTEND=noninteractive apt-get
RESULTS ?= outputs

.PHONY: demo pages check-pages docs test test-all lint data bench clean

demo: $(VENV)/.installed data
	$(BIN)/ablate sweep quickstart results=$(RESULTS)
	$(BIN)/ablate report quickstart results=$(RESULTS)

# Committed are records, tables and PNG figures; pages and SVG are made from them.
pages: $(VENV)/.installed
	$(BIN)/ablate report quickstart lenet_article combination_readings
	$(BIN)/ablate report search

# axe-core in chromium at 400 and 1400 px, light and dark: no serious findings, no console errors, nothing wider than the window.
check-pages: $(VENV)/.installed
	$(BIN)/python tests/report/browser.py $(wildcard results/*/report.html results/*/search.html results/index.html)

docs: $(VENV)/.installed
	$(BIN)/mkdocs build -q

test: lint data
	$(BIN)/pytest -n 2 --dist worksteal -q -m "not slow"

test-all: lint data
	$(BIN)/pytest -n 2 --dist worksteal -q

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Debian's package where it can be installed, else torchvision's download; verified either way.
data: $(VENV)/.installed
	@if [ ! -d $(DEBIAN_DATA) ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(APT) update -qq && $(APT) install -y -qq dataset-fashion-mnist || true; fi
	$(BIN)/ablate data fashion_mnist

bench: $(VENV)/.installed data
	$(BIN)/python -m benchmarks

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

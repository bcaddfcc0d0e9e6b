# make demo   installs everything, then runs the main job on digits, offline
# make docs   writes docs/exhibits, a page for each exhibit, from what the exhibits compute
# make test   installs everything, then runs all checks and tests
# make parity compares the image networks with the reference networks in PyTorch, in an environment of its own
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo docs test bench parity clean

demo: $(VENV)/installed
	$(BIN)/trainwright study digits --seeds 20 --out demo

docs: $(VENV)/installed
	$(BIN)/python docs/build.py

test: $(VENV)/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto

bench: $(VENV)/installed .venv-peers/installed
	$(BIN)/python benchmarks/run.py

parity: $(VENV)/installed .venv-parity/installed
	.venv-parity/bin/python parity/reference.py .venv-parity/references
	$(BIN)/python parity/compare.py .venv-parity/references

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# The peers of the benchmarks, in an environment of their own.
.venv-peers/installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	touch $@

# pretrainedmodels needs torchvision only for what is not used here, so it comes without its dependencies.
.venv-parity/installed: parity/requirements.txt
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/pip install --quiet --disable-pip-version-check --requirement parity/requirements.txt
	.venv-parity/bin/pip install --quiet --disable-pip-version-check --no-deps pretrainedmodels==0.7.4
	touch $@

clean:
	rm -rf $(VENV) .venv-peers .venv-parity demo

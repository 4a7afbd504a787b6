# make demo | make test | make lint | make format | make docs | make fuzz   [PYTHON=python3.12] [QUICK=1]
PYTHON ?= python3
# every Python has an environment of its own; plain python3's is .venv
VENV ?= $(if $(filter python3,$(notdir $(PYTHON))),.venv,.venv-$(notdir $(PYTHON)))
BIN = $(VENV)/bin

.PHONY: demo weights check-accelerator test fuzz lint format docs clean

demo: $(VENV)/.all
	$(BIN)/jaxsr demo --output demo --overwrite

# QUICK=1: without those that are marked as slow
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(QUICK),-m 'not slow')

# files that were changed at random, as long as MINUTES says: none may harm the codec's decoder
fuzz: $(VENV)/.fuzz
	$(BIN)/python tests/fuzz/fuzz.py --minutes $(MINUTES) $(ARGUMENTS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# the released weights anew; killed at any time, the same command goes on
MINUTES ?= 60
WEIGHTS ?= runs/weights
weights: $(VENV)/.train
	$(BIN)/python train.py --config=configs/weights.py --workdir=$(WEIGHTS) --config.minutes=$(MINUTES) \
		--config.data=$(DATA) --config.masked=$(MASKED) --config.parts=$(subst $(space),$(comma),$(strip $(PARTS))) $(ARGUMENTS)
comma := ,
space := $(subst ,, )

# networks, codec, training and speeds on the accelerator that JAX finds, beside the CPU
check-accelerator: $(VENV)/.all
	$(BIN)/python benchmarks/check_accelerator.py $(ARGUMENTS)

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# the pages of docs/ as a site; any warning fails it
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'the site: site/index.html; with search: python3 -m http.server --directory site'

# the environment with one extra; again whenever the dependencies change
$(VENV)/.%: setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'jaxsr needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

clean:
	rm -rf .venv* .cache .pytest_cache .ruff_cache .hypothesis build *.egg-info demo site

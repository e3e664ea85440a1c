# Every command of the project; `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BASE ?= origin/main
INSTALLED := $(VENV)/.installed

# `dvc` and the `python -m ...` of its stages are those of the project.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup doctor repro ui mlflow-sync test lint check record standin bench-generation bench-embedded bench-ensemble bench-filter bench-policies bench-labels bench-datasets ablate round review deps lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## .venv with the locked packages (once, and again after a change of the lock)

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is missing or older than Python 3.11;" \
			"install it, or name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

doctor: setup ## what is missing on this machine, and its remedy
	@python -m src.commands.doctor

repro: setup ## the whole pipeline, what is up to date left out, and its result
	dvc repro
	@python -m src.commands.summary

ui: setup ## the runs in MLflow, at http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
		mlflow ui --workers 1 --backend-store-uri sqlite:///mlflow.db

mlflow-sync: setup ## give MLflow the stages that DVC took from its cache
	@python -m src.commands.sync

test: setup ## the tests, with branch coverage
	python -m pytest --cov

lint: setup ## ruff (rules, format) and mypy
	ruff check
	ruff format --check
	mypy

check: setup ## whether the metrics are worse than those of BASE= (origin/main)
	@python -m src.commands.check --base $(BASE)

ablate: setup ## what each rule of the gate is worth on dev
	@python -m src.commands.ablate

round: setup ## one more round of samples where the classifier errs, until dev stops improving
	$(PYTHON) -m src.commands.rounds

review: setup ## look at samples and decide on them, at http://127.0.0.1:8765
	@python -m src.review.page

record: setup ## ask for the responses that are missing, and pack all into data/responses
	dvc repro filter
	python -m src.commands.record data/interim/responses.jsonl data/interim/judge_responses.jsonl

standin: setup ## what the stand-in corpus looks like
	@python -m src.standin.describe

bench-generation: setup ## the engine against a loopback endpoint, beside one request at a time
	python -m benchmarks.generation

bench-embedded: setup ## the embedded model with and without reading shared prompts once
	python -m benchmarks.embedded

bench-ensemble: setup ## the embedded model beside one that fails at some classes
	python -m benchmarks.ensemble

bench-filter: setup ## the gate on 10,000 and 100,000 candidates, and how exact it stays
	python -m benchmarks.filtering

bench-policies: setup ## two balanced sets compared: ONE=, OTHER= (train_balanced.csv of two plans)
	@python -m benchmarks.policies $(ONE) $(OTHER)

bench-labels: setup ## the label check on judged samples: JUDGED=, CANDIDATES=, REFERENCE= (CSV files)
	python -m benchmarks.labels --judged $(JUDGED) --candidates $(CANDIDATES) --reference $(REFERENCE)

bench-datasets: setup ## the whole pipeline on real sets: SETS=folder of <set>/{train,dev,test}.csv
	python -m benchmarks.datasets $(SETS)

deps: setup ## dvc.yaml's modules anew from what each stage imports
	@python -m src.commands.deps

lock: setup ## requirements.txt anew from pyproject.toml; pins stay where they can
	uv pip compile --quiet --universal --group dev pyproject.toml -o requirements.txt \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock"

clean: ## remove what tools left; data, responses and runs stay
	rm -rf .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

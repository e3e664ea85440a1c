# Every command of the project; `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BASE ?= origin/main
INSTALLED := $(VENV)/.installed

# `dvc` and the `python -m ...` of its stages use the project's virtual environment.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup doctor repro ui mlflow-sync test lint check record standin bench-generation bench-embedded bench-ensemble bench-filter bench-policies bench-labels bench-datasets ablate round review deps lock clean

help: ## list all commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## create .venv with the locked packages; update it when the lock changes

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is missing or older than Python 3.11;" \
			"install it, or name another Python: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

doctor: setup ## check what this machine lacks, with a remedy for each problem
	@python -m src.commands.doctor

repro: setup ## run the pipeline (only what is out of date) and print the result
	dvc repro
	@python -m src.commands.summary

ui: setup ## show the runs in MLflow, at http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
		mlflow ui --workers 1 --backend-store-uri sqlite:///mlflow.db

mlflow-sync: setup ## record in MLflow the stages that DVC restored from its cache
	@python -m src.commands.sync

test: setup ## run the tests, with branch coverage
	python -m pytest --cov

lint: setup ## run ruff (rules, format) and mypy
	ruff check
	ruff format --check
	mypy

check: setup ## compare the metrics with those of BASE= (origin/main); fail if they are worse
	@python -m src.commands.check --base $(BASE)

ablate: setup ## measure on dev what each rule of the gate contributes
	@python -m src.commands.ablate

round: setup ## experimental: one more round of samples for classes with errors on dev
	$(PYTHON) -m src.commands.rounds

review: setup ## review samples, at http://127.0.0.1:8765
	@python -m src.review.page

record: setup ## request missing responses and pack all of them into data/responses
	dvc repro filter
	python -m src.commands.record data/interim/responses.jsonl data/interim/judge_responses.jsonl

standin: setup ## describe the stand-in corpus
	@python -m src.standin.describe

bench-generation: setup ## throughput of generation against a loopback endpoint
	python -m benchmarks.generation

bench-embedded: setup ## speed of the embedded model with and without prefix reuse
	python -m benchmarks.embedded

bench-ensemble: setup ## share by acceptance: the embedded model with one that fails at a class
	python -m benchmarks.ensemble

bench-filter: setup ## time and exactness of the gate on 10,000 and 100,000 candidates
	python -m benchmarks.filtering

bench-policies: setup ## compare two balanced sets: ONE=, OTHER= (train_balanced.csv of two plans)
	@python -m benchmarks.policies $(ONE) $(OTHER)

bench-labels: setup ## test the label check on judged samples: JUDGED=, CANDIDATES=, REFERENCE= (CSV)
	python -m benchmarks.labels --judged $(JUDGED) --candidates $(CANDIDATES) --reference $(REFERENCE)

bench-datasets: setup ## run the pipeline on real data sets: SETS=folder of <set>/{train,dev,test}.csv
	python -m benchmarks.datasets $(SETS)

deps: setup ## update the modules in dvc.yaml from what each stage imports
	@python -m src.commands.deps

lock: setup ## rebuild requirements.txt from pyproject.toml; keeps pins where possible
	uv pip compile --quiet --universal --group dev pyproject.toml -o requirements.txt \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock"

clean: ## remove caches of tools; keeps data, responses and runs
	rm -rf .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

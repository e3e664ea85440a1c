"""Paths of the files that stages write; a test checks that dvc.yaml names the same ones."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("DVC_ROOT", "."))  # DVC runs an experiment in a temporary folder
PARAMS = Path("params.yaml")

STANDIN = Path("data/standin")

ROUNDS = Path("data/rounds")  # written by `make round`, in git

INTERIM = Path("data/interim")
PLAN = INTERIM / "plan.csv"
CANDIDATES = INTERIM / "candidates.jsonl"
FAILURES = INTERIM / "failures.jsonl"
RESPONSES = INTERIM / "responses.jsonl"
JUDGE_RESPONSES = INTERIM / "judge_responses.jsonl"
SCORES = INTERIM / "scores.csv"
ACCEPTED = INTERIM / "accepted.jsonl"
REJECTED = INTERIM / "rejected.jsonl"

REVIEW = Path("data/review")
REVIEW_QUEUE = REVIEW / "queue.csv"
DECISIONS = REVIEW / "decisions.csv"  # written by reviewers (`make review`), in git
SUSPECTS = REVIEW / "suspects.csv"

PROCESSED = Path("data/processed")
BALANCED = PROCESSED / "train_balanced.csv"
CHAT = PROCESSED / "chat"

MODELS = Path("models")
PREDICTIONS = INTERIM / "predictions"
METRICS = Path("metrics")
PLOTS = METRICS / "plots"
REPORTS = Path("reports")

"""Where each stage writes; dvc.yaml names the same paths (a test compares them)."""

import os
from pathlib import Path

ROOT = Path(
    os.environ.get("DVC_ROOT", ".")
)  # also where DVC runs an experiment in a folder of its own
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
DECISIONS = REVIEW / "decisions.csv"  # written by people (`make review`), in git
SUSPECTS = REVIEW / "suspects.csv"

PROCESSED = Path("data/processed")
BALANCED = PROCESSED / "train_balanced.csv"
CHAT = PROCESSED / "chat"

MODELS = Path("models")
PREDICTIONS = INTERIM / "predictions"
METRICS = Path("metrics")
PLOTS = METRICS / "plots"
REPORTS = Path("reports")

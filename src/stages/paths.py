"""Where each stage writes; dvc.yaml names the same paths (a test compares them)."""

from pathlib import Path

STANDIN = Path("data/standin")

INTERIM = Path("data/interim")
PLAN = INTERIM / "plan.csv"
CANDIDATES = INTERIM / "candidates.jsonl"
FAILURES = INTERIM / "failures.jsonl"
CASSETTE = INTERIM / "cassette.jsonl"
ACCEPTED = INTERIM / "accepted.jsonl"
REJECTED = INTERIM / "rejected.jsonl"

REVIEW_QUEUE = Path("data/review/queue.csv")

PROCESSED = Path("data/processed")
BALANCED = PROCESSED / "train_balanced.csv"
CHAT = PROCESSED / "chat"

MODELS = Path("models")
METRICS = Path("metrics")
PLOTS = METRICS / "plots"
REPORTS = Path("reports")

"""Benchmark: does the label check find the samples whose label a judge called wrong?

    make bench-labels JUDGED=judged.csv CANDIDATES=others.csv REFERENCE=real.csv
    python -m benchmarks.labels --judged judged.csv --candidates others.csv --reference real.csv

Judged and candidates have the columns text and label, judged also label_ok (True or False). The
reference holds the real rows, with columns text and label or those of params.yaml. The check is
trained on the reference and all samples, without label_ok, and evaluated on the judged samples:
area under the ROC curve of each score against label_ok, with a bootstrap interval over the
samples. Then both sample files pass through the rules of the gate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from src.config.data import DataParams
from src.config.params import Params, load_params
from src.data.dialogue import plain, split_turns
from src.data.schema import read_labels
from src.gate.gate import Gate
from src.gate.label_check import LabelCheck, check_labels
from src.gate.style import match_surface, measure_surface
from src.planning.keywords import mine_keywords
from src.records.samples import Candidate
from src.reporting.markdown import table

RESAMPLES = 2000
FOLDS = 5
SEED = 0

Scores = NDArray[np.float64]


def main(
    judged: Annotated[Path, typer.Option(help="CSV: text, label, label_ok")],
    reference: Annotated[Path, typer.Option(help="CSV: real rows")],
    candidates: Annotated[Path | None, typer.Option(help="CSV: text, label")] = None,
) -> None:
    """Print the tables of docs/benchmarks/does-the-label-check-work.md."""
    params = load_params()
    real = _read(reference, params.data)
    known = _read(judged, params.data)
    others = _read(candidates, params.data) if candidates else known.head(0)
    samples = pd.concat([known, others], ignore_index=True)
    is_right = known["label_ok"].astype(str).str.lower().eq("true").to_numpy()
    real, samples = _in_style(real, samples, params)
    checked = check_labels(
        _candidates(samples),
        real,
        read_labels(params.data.labels),
        params.data.turn_separator,
    )
    scores = _scores(checked, real, samples, params)
    typer.echo(f"{len(known)} judged samples, {(~is_right).sum()} with a wrong label; ")
    typer.echo(f"{len(others)} others, {len(real)} real rows\n")
    rows = []
    for name, values in scores.items():
        low, high = _interval(values[: len(known)], is_right)
        area = roc_auc_score(is_right, values[: len(known)])
        rows.append((name, f"{area:.3f}", f"{low:.3f} to {high:.3f}"))
    typer.echo(table(("score", "area under ROC", "95 % interval"), rows, numbers=False))
    _echo_thresholds(checked, is_right)
    for name, frame in (("judged", known), ("candidates", others)):
        if len(frame):
            _echo_rules(name, frame, real, params)


def _read(path: Path, data: DataParams) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    frame = frame.rename(columns={data.text_column: "text", data.label_name_column: "label"})
    return frame.assign(row_id=[f"{path.stem}-{number}" for number in range(len(frame))])


def _candidates(frame: pd.DataFrame) -> list[Candidate]:
    rows = zip(frame["row_id"], frame["label"], frame["text"], strict=True)
    return [Candidate(*row) for row in rows]


def _in_style(
    real: pd.DataFrame, samples: pd.DataFrame, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both in the form that the stage `score` sees."""
    separator, language = params.data.turn_separator, params.data.language
    surface = measure_surface(real["text"], separator)

    def styled(frame: pd.DataFrame) -> pd.DataFrame:
        texts = [match_surface(text, surface, separator, language) for text in frame["text"]]
        return frame.assign(text=texts)

    return styled(real), styled(samples)


def _scores(
    checked: LabelCheck, real: pd.DataFrame, samples: pd.DataFrame, params: Params
) -> dict[str, Scores]:
    """Return the scores of the check and of simpler baselines; higher = more likely right."""
    texts, rows = (
        frame["text"].map(lambda text: plain(text, params.data.turn_separator))
        for frame in (samples, real)
    )
    own = samples["label"]
    keywords = mine_keywords(
        rows, real["label"], params.data.language, params.plan.keywords_per_class
    )
    hits = [
        sum(word in text for word in keywords.get(label, ()))
        for text, label in zip(texts, own, strict=True)
    ]
    return {
        "label_score": checked.candidates.score,
        "label_rank": -checked.candidates.rank.astype(float),
        "neighbours": checked.candidates.neighbours,
        "keyword hits": np.array(hits, dtype=float),
        "TF-IDF similarity to the class's real rows": _similarity(texts, own, rows, real["label"]),
        "TF-IDF classifier, cross-fitted": _cross_fitted(texts, own, rows, real["label"]),
        "TF-IDF classifier of the real rows": _of_real(texts, own, rows, real["label"]),
        "length": np.array([sum(map(len, split_turns(t, None))) for t in texts], dtype=float),
    }


def _similarity(texts: pd.Series, own: pd.Series, rows: pd.Series, labels: pd.Series) -> Scores:
    tfidf = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    index, asked = tfidf.fit_transform(rows), tfidf.transform(texts)
    near = (asked @ index.T).toarray()
    same = labels.to_numpy()[np.newaxis] == own.to_numpy()[:, np.newaxis]
    return np.asarray(np.where(same, near, 0).max(axis=1))


def _classifier() -> Pipeline:
    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True),
        LogisticRegression(class_weight="balanced", max_iter=300),
    )


def _cross_fitted(texts: pd.Series, own: pd.Series, rows: pd.Series, labels: pd.Series) -> Scores:
    all_texts, all_labels = pd.concat([texts, rows]), pd.concat([own, labels])
    counts = all_labels.map(all_labels.value_counts())
    enough = (counts >= FOLDS).to_numpy()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    found = cross_val_predict(
        _classifier(), all_texts[enough], all_labels[enough], cv=folds, method="predict_proba"
    )
    classes = sorted(set(all_labels[enough]))
    own_at = [classes.index(label) for label in all_labels[enough]]
    score = np.zeros(len(all_texts))
    score[enough] = found[np.arange(len(found)), own_at]
    return score[: len(texts)]


def _of_real(texts: pd.Series, own: pd.Series, rows: pd.Series, labels: pd.Series) -> Scores:
    model = _classifier().fit(rows, labels)
    found, classes = model.predict_proba(texts), list(model.classes_)
    return np.array([found[row, classes.index(label)] for row, label in enumerate(own)])


def _interval(values: Scores, is_right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the percentile bootstrap interval, stratified by right and wrong samples."""
    rng = np.random.default_rng(SEED)
    right, wrong = np.flatnonzero(is_right), np.flatnonzero(~is_right)
    areas = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rng.choice(right, len(right)), rng.choice(wrong, len(wrong))])
        areas.append(roc_auc_score(is_right[drawn], values[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def _echo_thresholds(checked: LabelCheck, is_right: NDArray[np.bool_]) -> None:
    """Print what each threshold of filter.label_check drops."""
    score = checked.candidates.score[: len(is_right)]
    ways = {"all": np.full(len(is_right), fill_value=True)}
    ways |= {f"min_score: {least}": score >= least for least in (0.3, 0.5, 0.8, 0.9)}
    rows = []
    for name, kept in ways.items():
        wrong, dropped = (~is_right[kept]).mean(), (~is_right & ~kept).sum()
        rows.append((name, str(kept.sum()), f"{wrong:.1%}", f"{dropped} of {(~is_right).sum()}"))
    header = ("filter.label_check", "kept", "wrong among them", "wrong ones dropped")
    typer.echo("\n" + table(header, rows, numbers=False))


def _echo_rules(name: str, frame: pd.DataFrame, real: pd.DataFrame, params: Params) -> None:
    """Print what the rules of the gate reject, and how many repeats and short rows pass."""
    nothing = real.head(0)
    gate = Gate(real, nothing, nothing, {}, params.filter, params.data)
    verdicts = gate.screen(_candidates(frame))
    accepted = {one.id for one in verdicts.accepted}
    passed = frame["row_id"].isin(accepted)
    repeats = frame["text"].duplicated()
    turns = frame["text"].map(lambda text: len(split_turns(text, params.data.turn_separator)))
    faults = [one.fault.detail for one in verdicts.rejected if one.fault is not None]
    cut = sum("breaks off" in detail for detail in faults)
    broken = sum("broken turn" in detail for detail in faults)
    typer.echo(f"\n{name}: {len(frame)} samples, {len(accepted)} pass the rules")
    typer.echo(f"dropped by {dict(verdicts.rejected_by)}")
    typer.echo(f"exact repeats: {repeats.sum()}, of them passed: {(repeats & passed).sum()}")
    typer.echo(f"fewer than two turns: {(turns < 2).sum()}, passed: {((turns < 2) & passed).sum()}")
    typer.echo(f"cut in a separator: {broken} dropped; cut in a sentence: {cut} dropped")


if __name__ == "__main__":
    typer.run(main)

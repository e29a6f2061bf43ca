"""Anomalies: rows that an autoencoder, which has learned usual rows, cannot reproduce.

Scores are those of `training.runner.anomalies`. Usual rows are those of the class that the dataset
says (`training.runner.usual`), all others are anomalies. The threshold is the one in the model's
file, or else the 95th percentile of the scores of the validation rows that are usual: it is never
chosen on the test rows.

The baseline of the area under precision and recall is the share of anomalies, which is what drawing
by lot would have.

Precision and recall are shares of rows and have their interval. Both areas are means over anomalies
of numbers from 0 to 1, and where all anomalies stand above all usual rows every draw gives 1: there
the interval is Wilson's, of as many rows as there are of the rarer kind (Boyd, Eng and Page, 2013;
that an area scatters no more than so many rows do is Birnbaum and Klose, 1957).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

from training.runner import anomalies
from training.runner.figures import (
    Beat,
    Counts,
    Figure,
    Numbers,
    Quality,
    bootstrap,
    bootstrapped,
    unheard,
)
from training.runner.quality import ranks
from training.runner.quality.shares import WILSON, share_interval, share_method, wilson
from training.runner.rows import Part, Rows
from training.runner.subjects import Subject
from training.runner.usual import is_usual

PERCENTILE = 95.0
BINS = 24
POINTS_DRAWN = 200
AREAS = ("pr_auc", "roc_auc")


class OneKind(ValueError):
    """Test rows of only one kind tell nothing about telling them apart."""


def scores_of(subject: Subject, features: NDArray[Any]) -> NDArray[np.float64]:
    return anomalies.scores_of(subject.predictor, features, beat=subject.beat)


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The average precision; `features` are the rows as the network was given them."""
    is_odd = odd(subject, rows)
    if is_odd.all() or not is_odd.any():
        return float("nan")  # there is nothing to tell apart; whoever asked says so
    return float(average_precision_score(is_odd, scores_of(subject, features)))


def measure(subject: Subject) -> Quality:
    test = subject.test
    is_odd = odd(subject, test)
    if is_odd.all() or not is_odd.any():
        only = "an anomaly" if is_odd.all() else "usual"
        raise OneKind(
            f"targets: every test row is {only}, so nothing shows whether one is told from the "
            f"other. The usual class is “{usual_name(subject)}” (recipe.usual); correct it, or "
            "split the rows so that the test part has both."
        )
    scores = scores_of(subject, test.features)
    threshold = threshold_of(subject)
    groups = subject.units(len(scores))
    figures = measured(
        scores, is_odd, threshold, seed=subject.seed, groups=groups, beat=subject.beat
    )
    report = {"usual": usual_name(subject), **pictures(scores, is_odd, threshold)}
    others = dict.fromkeys(AREAS if are_apart(scores, is_odd) else [], WILSON)
    is_told = scores > threshold
    for name, which, among in (("precision", is_odd, is_told), ("recall", is_told, is_odd)):
        if by := share_method(which[among], groups_among(groups, among)):
            others[name] = by
    return Quality("pr_auc", figures, report, len(test), bootstrapped(len(test)), others)


def odd(subject: Subject, rows: Rows) -> NDArray[np.bool_]:
    """Which rows are anomalies [rows]."""
    assert subject.usual is not None, "without a usual class reconstruction is measured"
    return ~is_usual(rows, subject.usual)


def usual_name(subject: Subject) -> str:
    assert subject.usual is not None
    return subject.classes[subject.usual]


def threshold_of(subject: Subject) -> float:
    known = subject.predictor.model.signature.recipe.get("threshold")
    if isinstance(known, int | float):
        return float(known)
    validation = subject.rows.only(Part.VALIDATION)
    usual = validation.features[~odd(subject, validation)]
    given = usual if len(usual) else subject.train.features[~odd(subject, subject.train)]
    return float(np.percentile(scores_of(subject, given), PERCENTILE))


def measured(
    scores: NDArray[np.float64],
    is_odd: NDArray[np.bool_],
    threshold: float,
    *,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Figure]:
    is_told = scores > threshold
    share = float(is_odd.mean())
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_odd, is_told, average="binary", zero_division=0
    )
    ends = bounds(scores, is_odd, is_told, seed=seed, groups=groups, beat=beat)
    chance = "by lot"
    values = {
        "pr_auc": (float(average_precision_score(is_odd, scores)), share),
        "roc_auc": (float(roc_auc_score(is_odd, scores)), 0.5),
        "precision": (float(precision), share),
        "recall": (float(recall), float(is_told.mean())),
        "f1": (float(f1), None),
    }
    return {
        name: Figure(value, *ends[name], base, chance if base is not None else "")
        for name, (value, base) in values.items()
    }


def bounds(
    scores: NDArray[np.float64],
    is_odd: NDArray[np.bool_],
    is_told: NDArray[np.bool_],
    *,
    seed: int,
    groups: NDArray[Any] | None,
    beat: Beat,
) -> dict[str, tuple[float, float]]:
    """The interval of each figure."""

    def statistic(counts: Counts) -> Numbers:
        both, said, there = (
            counts @ part.astype(np.float64) for part in (is_told & is_odd, is_told, is_odd)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = 2 * both / (said + there)
        areas = [area(counts, scores, is_odd) for area in (ranks.average_precision, ranks.roc_auc)]
        return np.stack([*areas, f1], axis=1)

    def of_share(is_right: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[float, float]:
        together = groups_among(groups, among)
        return share_interval(is_right[among], seed=seed, groups=together, beat=beat)

    low, high = bootstrap(len(scores), statistic, seed=seed, groups=groups, beat=beat).tolist()
    found = dict(zip([*AREAS, "f1"], zip(low, high, strict=True), strict=True))
    if are_apart(scores, is_odd):
        units = np.arange(len(scores)) if groups is None else groups
        rarer = min(len(np.unique(units[kind])) for kind in (is_odd, ~is_odd))
        found |= dict.fromkeys(AREAS, wilson(rarer, rarer))
    return found | {"precision": of_share(is_odd, is_told), "recall": of_share(is_told, is_odd)}


def groups_among(groups: NDArray[Any] | None, among: NDArray[np.bool_]) -> NDArray[Any] | None:
    return None if groups is None else groups[among]


def are_apart(scores: NDArray[np.float64], is_odd: NDArray[np.bool_]) -> bool:
    """Whether every anomaly stands above every usual row, so that both areas are 1."""
    return bool(scores[is_odd].min() > scores[~is_odd].max())


def pictures(
    scores: NDArray[np.float64], is_odd: NDArray[np.bool_], threshold: float
) -> dict[str, Any]:
    precision, recall, _ = precision_recall_curve(is_odd, scores)
    step = max(1, len(recall) // POINTS_DRAWN)
    edges = np.linspace(0, max(float(np.percentile(scores, 99)), 1.5 * threshold), BINS + 1)
    return {
        "threshold": threshold,
        "share_of_anomalies": float(is_odd.mean()),
        "curve": [
            [float(r), float(p)] for r, p in zip(recall[::-step], precision[::-step], strict=True)
        ],
        "scores": {
            "edges": edges.tolist(),
            "usual": np.histogram(np.minimum(scores[~is_odd], edges[-1]), edges)[0].tolist(),
            "anomalies": np.histogram(np.minimum(scores[is_odd], edges[-1]), edges)[0].tolist(),
        },
    }

"""How well an autoencoder gives back what it was given, where no class of rows is usual.

    reconstruction error = mean over rows and numbers of ((x - x̂) / s)², s the deviation of a column

It is the share of the variance that is lost. Two answers without a network stand beside it: the
mean row of the training part, which loses all of it, and as many principal components as the code
has numbers, which is the best that anything linear can do (Baldi and Hornik, 1989). The better of
them is the baseline.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from training.runner import anomalies
from training.runner.figures import Figure, Quality, bootstrapped, mean_interval
from training.runner.rows import Rows
from training.runner.subjects import Subject, answers_in_parts

BINS = 24
PERCENTILE_SHOWN = 99
ROWS_AT_ONCE = 1_024
PCA_ROWS_MAX = 5_000
PCA_NUMBERS_MAX = 20_000_000  # rows times numbers of a row


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The reconstruction error against the rows as they are, whatever the network was given."""
    total = 0.0
    for some, answers in answers_in_parts(subject.predictor, features, beat=subject.beat):
        total += float(
            anomalies.scores(subject.predictor.model, rows.features[some], answers).sum()
        )
    return total / len(rows)


def measure(subject: Subject) -> Quality:
    test = subject.test
    scores = anomalies.scores_of(subject.predictor, test.features, beat=subject.beat)
    bases = baselines(subject)
    best = min(bases, key=lambda name: bases[name])
    figure = Figure(
        float(scores.mean()),
        *mean_interval(
            scores, seed=subject.seed, groups=subject.units(len(scores)), beat=subject.beat
        ),
        bases[best],
        best,
        lower_is_better=True,
    )
    edges = np.linspace(0, float(np.percentile(scores, PERCENTILE_SHOWN)) or 1.0, BINS + 1)
    report = {
        "reconstruction_errors": {"model": figure.value, **bases},
        "row_errors": {
            "edges": edges.tolist(),
            "counts": np.histogram(np.minimum(scores, edges[-1]), edges)[0].tolist(),
        },
    }
    figures = {"reconstruction_error": figure}
    return Quality("reconstruction_error", figures, report, len(test), bootstrapped(len(test)))


def baselines(subject: Subject) -> dict[str, float]:
    """The errors of what needs no network, by name, on the same rows in the same units."""
    mean = scaled(subject, subject.means[None])
    found = {"the mean row": error_of(subject, lambda asked: mean)}
    chosen = np.linspace(0, len(subject.train) - 1, PCA_ROWS_MAX).astype(np.intp)
    known = scaled(subject, subject.train.features[np.unique(chosen)])
    width = code_width(subject)
    if width is None or known.size > PCA_NUMBERS_MAX:
        return found
    kept = min(width, *known.shape)
    pca = PCA(kept, svd_solver="randomized", random_state=subject.seed).fit(known)
    noun = "principal component" if kept == 1 else "principal components"
    error = error_of(subject, lambda asked: pca.inverse_transform(pca.transform(asked)))
    return found | {f"{kept} {noun}": error}


def error_of(subject: Subject, give_back: Callable[[NDArray[Any]], NDArray[Any]]) -> float:
    """The reconstruction error of anything that gives rows of numbers back."""
    test, total = subject.test.features, 0.0
    for begin in range(0, len(test), ROWS_AT_ONCE):
        asked = scaled(subject, test[begin : begin + ROWS_AT_ONCE])
        total += float(((asked - give_back(asked)) ** 2).mean(axis=1, dtype=np.float64).sum())
        subject.beat(begin)
    return total / len(test)


def scaled(subject: Subject, features: NDArray[Any]) -> NDArray[np.float32]:
    """Rows in deviations of their columns, (rows, numbers)."""
    deviations = subject.predictor.model.arrays["input.scale"].astype(np.float32)
    shaped = features.reshape(len(features), *subject.shape.input)
    return np.asarray((shaped / deviations).reshape(len(features), -1), np.float32)


def code_width(subject: Subject) -> int | None:
    """How many numbers the code has, where the file says it."""
    config = subject.predictor.model.config
    if config is None or "decoder" not in config.architecture.networks:
        return None
    return int(np.prod(config.architecture.networks["decoder"].input))

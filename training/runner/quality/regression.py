"""Values: how far answers are from them. The baseline always answers with the training mean.

R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)², with ȳ the mean of the test rows, as a mean over outputs
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from training.runner.figures import (
    Beat,
    Counts,
    Figure,
    Numbers,
    Quality,
    TooFewRows,
    bootstrap,
    bootstrapped,
    unheard,
)
from training.runner.rows import Rows
from training.runner.subjects import Subject

MEAN = "always the training mean"
POINTS_DRAWN = 400
BINS = 24
ROWS_LEAST = 2  # one has no variance
SMALLEST_SHARE = 1e-12  # of a sum of squares; what is left of a difference below it is rounding


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """R². Raises TooFewRows."""
    truth = rows.targets.reshape(len(rows), -1).astype(np.float64)
    check_rows(len(truth))
    return float(r2_score(truth, subject.answers(features).reshape(truth.shape)))


def check_rows(rows: int) -> None:
    if rows < ROWS_LEAST:
        raise TooFewRows("r2", rows, needed=str(ROWS_LEAST))


def measure(subject: Subject) -> Quality:
    """Raises TooFewRows."""
    check_rows(len(subject.test))
    truth = subject.test.targets.reshape(len(subject.test), -1).astype(np.float64)
    found = subject.test_answers.reshape(truth.shape).astype(np.float64)
    mean = subject.train.targets.reshape(len(subject.train), -1).mean(axis=0, dtype=np.float64)
    return Quality(
        "r2",
        distances(
            truth,
            found,
            np.broadcast_to(mean, truth.shape),
            seed=subject.seed,
            groups=subject.units(len(truth)),
            beat=subject.beat,
        ),
        pictures(truth[:, 0], found[:, 0], seed=subject.seed),
        len(truth),
        bootstrapped(len(truth)),
    )


def distances(
    truth: NDArray[np.float64],
    found: NDArray[np.float64],
    same: NDArray[np.float64],
    *,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Figure]:
    """Each (rows, outputs); `same` is what the baseline answers."""
    low, high = bootstrap(len(truth), drawn(truth, found), seed=seed, groups=groups, beat=beat)
    measures = {
        "r2": r2_score,
        "mean_absolute_error": mean_absolute_error,
        "root_mean_squared_error": root_mean_squared_error,
    }
    return {
        name: Figure(
            float(measure(truth, found)),
            float(low[place]),
            float(high[place]),
            float(measure(truth, same)),
            MEAN,
            lower_is_better=name != "r2",
        )
        for place, (name, measure) in enumerate(measures.items())
    }


def drawn(truth: NDArray[np.float64], found: NDArray[np.float64]) -> Any:
    """R², MAE and RMSE for many draws: (draws, 3). Rows that are all the same have no R²."""
    centre = truth - truth.mean(axis=0)  # the same variance, without losing digits

    def statistic(counts: Counts) -> Numbers:
        rows = counts.sum(axis=1, keepdims=True)  # of whole groups not always as many
        squares = counts @ (truth - found) ** 2
        total = counts @ centre**2
        spread = total - (counts @ centre) ** 2 / rows
        there = np.where(spread > SMALLEST_SHARE * total, spread, np.nan)
        explained = (1 - squares / there).mean(axis=1)
        off = (counts @ np.abs(truth - found)).mean(axis=1) / rows[:, 0]
        return np.stack([explained, off, np.sqrt(squares / rows).mean(axis=1)], axis=1)

    return statistic


def pictures(
    truth: NDArray[np.float64], found: NDArray[np.float64], *, seed: int
) -> dict[str, Any]:
    """What was said against what was so, of the first output, and how mistakes are spread."""
    chosen = np.random.default_rng(seed).permutation(len(truth))[:POINTS_DRAWN]
    counts, edges = np.histogram(found - truth, BINS)
    return {
        "pairs": [[float(truth[row]), float(found[row])] for row in np.sort(chosen)],
        "mistakes": {"counts": counts.tolist(), "edges": edges.tolist()},
    }

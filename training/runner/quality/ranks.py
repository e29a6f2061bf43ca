"""Areas under curves for many draws of rows at once: what scikit-learn computes of one, as a few
sums over rows in the order of their scores, so that a thousand draws take no longer than a few.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner.figures import Counts, Numbers


def ordered(counts: Counts, scores: NDArray[Any], is_yes: NDArray[np.bool_]) -> tuple[Numbers, ...]:
    """Weights of yes and of no at each different score, the highest first: (draws, scores) each."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    weighed = counts[:, order]
    yes = np.add.reduceat(weighed * is_yes[order], starts, axis=1)
    return yes, np.add.reduceat(weighed * ~is_yes[order], starts, axis=1)


def roc_auc(counts: Counts, scores: NDArray[Any], is_yes: NDArray[np.bool_]) -> Numbers:
    """The chance that a yes scores above a no, ties as a half (Hanley and McNeil, 1982): (draws,);
    not a number where a draw has only one of both.
    """
    yes, no = ordered(counts, scores, is_yes)
    above = np.cumsum(yes, axis=1) - yes / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((no * above).sum(axis=1) / (yes.sum(axis=1) * no.sum(axis=1)))


def average_precision(counts: Counts, scores: NDArray[Any], is_yes: NDArray[np.bool_]) -> Numbers:
    """The sum over scores of precision times what recall gains there: (draws,)."""
    yes, no = ordered(counts, scores, is_yes)
    found, seen = np.cumsum(yes, axis=1), np.cumsum(yes + no, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(seen > 0, found / seen, 0.0)
        return np.asarray((precision * yes).sum(axis=1) / found[:, -1])

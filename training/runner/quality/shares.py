"""How sure a share of rows is, at its ends, too, where each draw of a bootstrap gives the same.

Wilson's interval (1927) is of rows that are each for itself, and of so many that are all alike it
says how many others they leave room for.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from training.runner.figures import Beat, Method, mean_interval, unheard

WILSON = Method("Wilson score")


def share_interval(
    is_right: NDArray[np.bool_],
    *,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> tuple[float, float]:
    """The interval of how many rows are right. Wilson's takes each to be for itself; of groups it
    would be far too narrow, but where all are alike it is that of as many rows as there are groups.
    """
    if not len(is_right):
        return math.nan, math.nan
    if groups is None:
        return wilson(int(is_right.sum()), len(is_right))
    if share_method(is_right, groups):
        units = len(np.unique(groups))
        return wilson(units * int(is_right[0]), units)
    return mean_interval(is_right, seed=seed, groups=groups, beat=beat)


def share_method(is_right: NDArray[np.bool_], groups: NDArray[Any] | None) -> Method | None:
    """The method of an interval that `share_interval` gives, where it is no bootstrap."""
    if groups is None:
        return WILSON
    units = len(np.unique(groups))
    is_alike = units > 1 and len(np.unique(is_right)) == 1
    return Method(f"{WILSON.name} as of {units:,} rows") if is_alike else None


def wilson(right: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share of rows that are each for itself (Wilson, 1927)."""
    found = binomtest(right, rows).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def alike_interval(value: float, units: int, *, least: float, most: float) -> tuple[float, float]:
    """The interval of a mean of so many units that all gave the same, where none can give less than
    `least` nor more than `most`: that of other units which were not seen, at its worst.
    """
    other = wilson(0, units)[1]
    return value - other * (value - least), value + other * (most - value)

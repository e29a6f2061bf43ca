"""A figure of quality: what was measured, how sure it is, and what would be had without a network.

Intervals are percentile bootstraps (Efron and Tibshirani, 1993): the test rows are drawn anew with
replacement, 1,000 times with a seed of their own, and the middle 95 % of what they give is the
interval. A draw is kept as how often each row was drawn, so that most figures of all draws are one
matrix product. Neighbours in time are alike: there whole blocks are drawn (Künsch, 1989). A draw
that gives no figure, as of rows that are all the same, is not counted. Rows of a group are alike,
too: where groups were split whole, whole groups are drawn (Davison and Hinkley, 1997, §3.8).

Where every draw gives the same, a bootstrap knows nothing of rows that are not there: nine rows
that are all right would be right for good. The same is so of one group alone. There is no interval
then, but for what is a share of rows, which has Wilson's (1927), at its ends, too, and for means
between two bounds: so many rows that are all alike leave room for as many others as Wilson's
interval does.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
DRAWS_LEAST = 200
NUMBERS_MAX = 20_000_000  # rows times draws
NUMBERS_AT_ONCE = 4_000_000
PERCENTILES = (2.5, 97.5)
WIDTH_LEAST = 1e-12  # of an interval, as a share of what it bounds; below that it is rounding
NO_OTHER = "drawn anew, these rows give no other value, which says nothing of rows beside them"

Counts = NDArray[np.float64]  # [draws, rows]: how often each row was drawn
Numbers = NDArray[np.float64]
Beat = Callable[[int], object]  # called between parts of the work that each take less than a lease


def unheard(step: int) -> None:
    """The beat of those who hold no lease."""


class TooFewRows(ValueError):
    """Rows that are too few for the first figure of a model to mean anything."""

    def __init__(self, name: str, rows: int, *, needed: str = "more") -> None:
        super().__init__(
            f"rows: {name} has no meaning on {rows} of them, it needs {needed}. Bring a dataset "
            "with more rows, give its test part a larger share (split.test), or ask for fewer "
            "folds."
        )


class Undefined(ValueError):
    """A figure that has no value on these data, whatever a model answers; the text says why."""


def finite(found: Any) -> Any:
    """The same values, lists and mappings, with None for each number that is not finite: JSON has
    no such numbers, and the database refuses a row that holds one.
    """
    if isinstance(found, Mapping):
        return {name: finite(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [finite(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


@dataclass(frozen=True)
class Figure:
    """`low` and `high` bound it in 95 of 100 samples of rows; `baseline` is the same measurement of
    the simplest answer, in words in `baseline_name`. `lower_is_better` for errors.
    """

    value: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    baseline_name: str = ""
    lower_is_better: bool = False
    unit: str = ""

    @property
    def is_better(self) -> bool | None:
        """Whether it beats its baseline; None where there is none."""
        if self.baseline is None:
            return None
        return self.value < self.baseline if self.lower_is_better else self.value > self.baseline

    def to_json(self) -> dict[str, Any]:
        """What is stored; what is not finite has no meaning and is left out. Where an interval was
        looked for and is none, it says why.
        """
        found = {
            name: value
            for name, value in finite(vars(self)).items()
            if value is not None and value is not False and value != ""  # but 0 is a figure
        }
        is_unbounded = self.low is not None and not math.isfinite(self.low)
        return found | ({"no_interval": NO_OTHER} if is_unbounded else {})


@dataclass(frozen=True)
class Method:
    """How an interval came to be: what was drawn anew, and how often. A formula draws nothing."""

    name: str
    drawn: str = ""
    draws: int = 0

    def to_json(self) -> dict[str, Any]:
        drawn = {"drawn": self.drawn, "draws": self.draws} if self.draws else {}
        return {"method": self.name} | drawn


@dataclass(frozen=True)
class Quality:
    """What a model is worth: its figures by name, the first among them, and what pictures need.
    `method` is that of intervals, but for the figures in `others`; `undefined` says of figures that
    have no value here, the first among them or another, why.
    """

    primary: str
    figures: dict[str, Figure]
    report: dict[str, Any]
    rows: int
    method: Method
    others: Mapping[str, Method] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)


def draws_of(
    rows: int, *, seed: int, draws: int, block: int, groups: NDArray[Any] | None = None
) -> Counts:
    """How often each of so many rows is drawn, in blocks of neighbours or in whole groups, where
    the number of the group of each is given: [draws, rows].
    """
    if groups is not None:
        names, places = np.unique(groups, return_inverse=True)
        return draws_of(len(names), seed=seed, draws=draws, block=block)[:, places]
    rng = np.random.default_rng(seed)
    if block <= 1:
        places = rng.integers(0, rows, (draws, rows))
    else:
        starts = rng.integers(0, rows, (draws, -(-rows // block)))
        places = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :rows] % rows
    flat = places + rows * np.arange(draws)[:, None]
    return np.bincount(flat.reshape(-1), minlength=draws * rows).reshape(draws, rows).astype(float)


def bootstrap(
    rows: int,
    statistic: Callable[[Counts], Numbers],
    *,
    seed: int,
    block: int = 1,
    draws: int = DRAWS,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> NDArray[np.float64]:
    """The 95 % interval of each figure: (2, figures), low and high; not a number for a figure that
    no draw gave, and where all draws give the same.

    `statistic` makes (draws, figures) of how often each row was drawn. Of very many rows there are
    fewer draws, but not below DRAWS_LEAST: their ends hardly move any more.
    """
    draws = min(draws, draws_for(rows))
    at_once = max(1, min(draws, NUMBERS_AT_ONCE // max(rows, 1)))
    found = []
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        counts = draws_of(rows, seed=seed + first, draws=some, block=block, groups=groups)
        found.append(statistic(counts))
        beat(first)
    drawn = np.concatenate(found)
    ends = np.full((len(PERCENTILES), drawn.shape[1]), np.nan)
    for place, column in enumerate(drawn.T):
        given = column[np.isfinite(column)]
        low, high = np.percentile(given, PERCENTILES) if len(given) else (0.0, 0.0)
        if high - low > WIDTH_LEAST * max(abs(low), abs(high)):
            ends[:, place] = low, high
    return ends


def draws_for(rows: int) -> int:
    """How often so many rows are drawn anew."""
    return min(DRAWS, max(DRAWS_LEAST, NUMBERS_MAX // max(rows, 1)))


def bootstrapped(rows: int, drawn: str = "rows") -> Method:
    """The method of an interval that `bootstrap` gives of so many rows."""
    return Method("percentile bootstrap", drawn, draws_for(rows))


def mean_interval(
    values: NDArray[Any],
    *,
    seed: int,
    block: int = 1,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> tuple[float, float]:
    """The interval of a mean over rows."""
    weighed = np.asarray(values, np.float64)[:, None]
    low, high = bootstrap(
        len(weighed),
        lambda counts: counts @ weighed / counts.sum(axis=1, keepdims=True),
        seed=seed,
        block=block,
        groups=groups,
        beat=beat,
    )[:, 0]
    return float(low), float(high)

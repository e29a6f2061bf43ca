"""Forecasts of a series: how far they are from what came, measured by how far the season before
would have been (Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006).

    MASE  = mean |y - ŷ| / mean |y - y one season before|, the latter over the training rows
    sMAPE = mean of 200 % · |y - ŷ| / (|y| + |ŷ|)

A MASE below 1 is better than repeating the last season as it was over the training rows; the
baseline is the same repetition on the test rows. Where the training rows repeat their last season
exactly, there is nothing to divide by and no MASE; all else is measured. Neighbouring rows overlap,
so intervals draw blocks as long as a season, or as what one row sees and foretells.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error

from training.runner.figures import Figure, Quality, Undefined, bootstrapped, mean_interval
from training.runner.rows import Rows
from training.runner.subjects import Subject

POINTS_DRAWN = 1_000
ROUNDING = float(np.finfo(np.float32).eps)


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The mean absolute scaled error. Raises Undefined."""
    truth = rows.targets.reshape(len(rows), -1).astype(np.float64)
    off = truth - subject.answers(features).reshape(truth.shape)
    return float(np.abs(off).mean() / scale(subject))


def measure(subject: Subject) -> Quality:
    truth = subject.test.targets.reshape(len(subject.test), -1).astype(np.float64)
    found = subject.test_answers.reshape(truth.shape).astype(np.float64)
    again = last_season(subject, subject.test)
    block = max(season_of(subject), truth.shape[1])
    interval = partial(mean_interval, seed=subject.seed, block=block, beat=subject.beat)
    name = season_name(subject)
    off, theirs = np.abs(truth - found).mean(axis=1), np.abs(truth - again).mean(axis=1)
    low, high = interval(off)
    share, their_share = (percentages(truth, guess).mean(axis=1) for guess in (found, again))
    figures = {
        "smape": Figure(
            float(share.mean()),
            *interval(share),
            float(their_share.mean()),
            name,
            lower_is_better=True,
            unit="%",
        ),
        "mean_absolute_error": Figure(
            float(mean_absolute_error(truth, found)),
            low,
            high,
            float(mean_absolute_error(truth, again)),
            name,
            lower_is_better=True,
        ),
    }
    report = pictures(truth, found, again)
    method = bootstrapped(len(truth), f"blocks of {block} rows" if block > 1 else "rows")
    if why := undefined(subject):
        return Quality("mase", figures, report, len(truth), method, undefined={"mase": why})
    unit = scale(subject)
    value, base = float(off.mean() / unit), float(theirs.mean() / unit)
    mase = Figure(value, low / unit, high / unit, base, name, lower_is_better=True)
    return Quality("mase", {"mase": mase} | figures, report, len(truth), method)


def undefined(subject: Subject) -> str:
    """Why there is no MASE; nothing where there is one."""
    try:
        scale(subject)
    except Undefined as why:
        return str(why)
    return ""


def percentages(truth: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """200 · |y - ŷ| / (|y| + |ŷ|), and 0 where both are 0."""
    sizes = np.abs(truth) + np.abs(found)
    shares: NDArray[np.float64] = np.divide(
        200 * np.abs(truth - found), sizes, out=np.zeros_like(sizes), where=sizes > 0
    )
    return shares


def season_of(subject: Subject) -> int:
    """How many steps a season has, where a row sees one; else 1, which repeats the last value."""
    season = int(subject.recipe.get("season") or 1)
    return season if season <= subject.shape.input[0] else 1


def season_name(subject: Subject) -> str:
    season = season_of(subject)
    return f"the value {season} steps before" if season > 1 else "the last value"


def last_season(subject: Subject, rows: Rows) -> NDArray[np.float64]:
    """For each step of the horizon, and each series that is foretold, the last value that was seen
    a whole number of seasons before: (rows, horizon · series).
    """
    seen = rows.features.reshape(len(rows), subject.shape.input[0], -1)
    columns = foretold_columns(subject, seen.shape[2])
    season = season_of(subject)
    horizon = rows.targets.reshape(len(rows), -1).shape[1] // len(columns)
    places = [seen.shape[1] - season + step % season for step in range(horizon)]
    found = seen[:, places][:, :, columns]
    return np.asarray(found, np.float64).reshape(len(rows), -1)


def foretold_columns(subject: Subject, width: int) -> list[int]:
    """Where in a step the past of what is foretold stands: a recipe has it behind the features."""
    roles = [column.get("role") for column in subject.recipe.get("columns", [])]
    targets = max(1, roles.count("target"))
    return list(range(width - targets, width))


def scale(subject: Subject) -> float:
    """The mean absolute error of the last season over the training rows. Their first steps only: a
    step further on may be more seasons away. Raises Undefined where it is 0, or no more than what
    rounding to float32 leaves of numbers of that size.
    """
    again = last_season(subject, subject.train)
    known = subject.train.targets.reshape(again.shape)
    unit = float(np.abs(known[:, 0] - again[:, 0]).mean(dtype=np.float64))
    if unit <= ROUNDING * float(np.abs(known[:, 0]).max()):
        raise Undefined(
            f"over the training rows each value is {season_name(subject)}, so repeating it errs by "
            "0, and no error can be measured in units of 0"
        )
    return unit


def pictures(
    truth: NDArray[np.float64], found: NDArray[np.float64], again: NDArray[np.float64]
) -> dict[str, Any]:
    """The backtest: one step ahead at a time over the test rows, and the error of each step."""
    first = max(0, len(truth) - POINTS_DRAWN)
    lines = {"actual": truth, "forecast": found, "season before": again}
    return {
        "backtest": {
            name: [[row, float(line[row, 0])] for row in range(first, len(truth))]
            for name, line in lines.items()
        },
        "by_horizon": {
            name: np.abs(truth - guess).mean(axis=0).tolist()
            for name, guess in (("forecast", found), ("season before", again))
        },
    }

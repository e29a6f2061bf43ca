"""Carbon dioxide in the air over Mauna Loa, week by week, by way of statsmodels."""

import numpy as np
import statsmodels.datasets.co2
from numpy.typing import NDArray

from training.runner.bundles.bundle import SHARES, Bundle, asked, split_of
from training.runner.recipes import Column, Form, Kind, Recipe, Role
from training.runner.rows import Part

WINDOW, HORIZON, SEASON = 52, 13, 52  # weeks: a year is seen, a quarter foretold


def co2() -> Bundle:
    """2,284 weeks from 1958 to 2001; the 59 that nobody measured are drawn in a straight line
    between their neighbours.
    """
    series = statsmodels.datasets.co2.load_pandas().data["co2"].interpolate()
    features, targets, parts = windows(series.to_numpy(np.float32), WINDOW, HORIZON)
    return Bundle(
        features=features,
        targets=targets,
        recipe=Recipe(
            Form.SERIES,
            (Column("week", Kind.DATE, Role.TIME), asked("co2")),
            window=WINDOW,
            horizon=HORIZON,
            season=SEASON,
        ),
        split=split_of("time", "week"),
        parts=parts,
    )


def windows(
    series: NDArray[np.float32], window: int, horizon: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8]]:
    """Of a series [steps] every stretch of `window` steps [rows, window, 1], the `horizon` steps
    after it [rows, horizon], and its part [rows].

    A part is a stretch of time, and a row belongs to it if all that is foretold lies within: what
    would reach over a border is left out. What is seen may begin before, as it does in use.
    """
    steps = np.lib.stride_tricks.sliding_window_view(series, window + horizon)
    first = np.arange(len(steps)) + window
    last = first + horizon - 1
    ends = np.cumsum([SHARES["train"], SHARES["validation"]]) * len(series)
    parts = np.searchsorted(ends, first, side="right").astype(np.int8)
    whole = parts == np.searchsorted(ends, last, side="right")
    assert set(parts) <= set(Part)
    kept = steps[whole]
    return (
        np.ascontiguousarray(kept[:, :window, None]),
        np.ascontiguousarray(kept[:, window:]),
        parts[whole],
    )

"""A series as examples: what went before, and what came next; and what is wrong with its time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.fields import shown
from training.runner.readers.content import FileRefused
from training.runner.recipes import Recipe, Role


def windows(
    values: NDArray[np.float32], targets: NDArray[np.float32], window: int, horizon: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All examples of a series that is in order and has no gap.

    `values` [steps, channels] and `targets` [steps, k] give `window` steps of the values [examples,
    window, channels], and the `horizon` steps of the targets that follow [examples, horizon · k],
    step by step. There are steps − window − horizon + 1 examples, none where that is less than 1.
    """
    examples = max(len(values) - window - horizon + 1, 0)
    first = np.arange(examples)[:, None]
    given = values[first + np.arange(window)]
    following = targets[first + window + np.arange(horizon)]
    return given, following.reshape(examples, horizon * targets.shape[1])


def windows_of_parts(
    values: NDArray[np.float32],
    targets: NDArray[np.float32],
    parts: NDArray[np.int8],
    window: int,
    horizon: int,
    groups: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8]]:
    """The same of each part by itself, so that no example has steps of two; and their parts.

    `parts` int8 [steps] are in one piece each, as a split by time leaves them. `groups` int32
    [steps] are the numbers of several series, of which no example has steps of two, either.
    """
    groups = np.zeros(len(parts), np.int32) if groups is None else groups
    found = []
    for part, group in dict.fromkeys(zip(parts.tolist(), groups.tolist(), strict=True)):
        inside = (parts == part) & (groups == group)
        given, following = windows(values[inside], targets[inside], window, horizon)
        found.append((given, following, np.full(len(given), part, np.int8)))
    given, following, of_part = (np.concatenate(each) for each in zip(*found, strict=True))
    return given, following, of_part


def series_numbers(recipe: Recipe, raw: Mapping[str, Sequence[Any]]) -> NDArray[np.int32]:
    """The number of the series that each row belongs to, int32 [rows]: by the columns whose role is
    group, or all rows to one.
    """
    rows = len(next(iter(raw.values())))
    columns = [raw[column.name] for column in recipe.of_role(Role.GROUP)]
    names = [repr([column[row] for column in columns]) for row in range(rows)]
    return np.unique(names, return_inverse=True)[1].astype(np.int32)


def each_series(
    times: NDArray[np.float64], groups: NDArray[np.int32]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Of each series the numbers of its rows in the order of time, and how far apart they are."""
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        rows = rows[np.argsort(times[rows], kind="stable")]
        yield rows, np.diff(times[rows])


def refuse_repeated_times(
    recipe: Recipe, raw: Mapping[str, Sequence[Any]], times: NDArray[np.float64]
) -> None:
    """A series has one row at a time, or what comes next did not come later. Raises
    FileRefused.
    """
    name = recipe.of_role(Role.TIME)[0].name
    for rows, apart in each_series(times, series_numbers(recipe, raw)):
        if (again := np.flatnonzero(apart == 0)).size:
            raise FileRefused(
                f"column {name!r} has {shown(raw[name][rows[again[0]]])} more than once, and "
                f"{again.size:,} rows come at the time of another; a series has one row at a time. "
                "Give the column that tells several series apart the role group, or bring the mean "
                "or the sum of such rows."
            )

"""The groups that people belong to by the sensitive columns of a table, to compare them by."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner.completion import Columns
from training.runner.readers.content import FileRefused
from training.runner.recipes import Column, Kind, Recipe
from training.runner.recipes.columns import category_text, encode_codes, encode_numbers, is_missing
from training.runner.rows import Part

GROUPS_MAX = 100
BINS_OF_NUMBERS = 4  # a sensitive number becomes quarters of the training rows


def sensitive_of(
    recipe: Recipe, raw: Columns, parts: NDArray[np.int8]
) -> tuple[NDArray[np.int32] | None, list[dict[str, Any]]]:
    """The group of each row by each sensitive column, int32 [rows, columns], −1 where it is in
    none, and what the groups are called.
    """
    codes, names = [], []
    for column in recipe.columns:
        if not column.sensitive or column.name not in raw:
            continue
        values = raw[column.name]
        there = np.array([not is_missing(value) for value in values])
        if not (there & (parts == Part.TRAIN)).any():
            raise FileRefused(f"column {column.name!r} is sensitive and has no values to compare.")
        seen = [value for value in values if not is_missing(value)]
        found = np.full(len(values), -1, np.int32)
        if column.kind in (Kind.NUMBER, Kind.DATE):
            numbers = encode_numbers(column, seen)
            found[there], called = quarters(numbers, parts[there] == Part.TRAIN)
        else:
            found[there], called = named_groups(column, seen)
        codes.append(found)
        names.append({"column": column.name, "names": called})
    return (np.stack(codes, axis=1) if codes else None), names


def named_groups(column: Column, values: Sequence[Any]) -> tuple[NDArray[np.int64], list[str]]:
    called = list(column.values) or sorted({category_text(value) for value in values})
    if len(called) > GROUPS_MAX:
        raise FileRefused(
            f"column {column.name!r} has {len(called):,} values, too many groups to compare; at "
            f"most {GROUPS_MAX}."
        )
    known = replace(column, kind=Kind.CATEGORY, values=tuple(called), missing=None)
    return encode_codes(known, values), called


def quarters(
    numbers: NDArray[np.float64], train: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], list[str]]:
    """Groups between the quartiles of the training rows."""
    shares = np.linspace(0, 1, BINS_OF_NUMBERS + 1)[1:-1]
    edges = np.unique(np.quantile(numbers[train], shares))
    bounds = ["", *(f"{edge:g}" for edge in edges), ""]
    called = [
        f"below {high}" if not low else f"from {low}" if not high else f"{low} to {high}"
        for low, high in zip(bounds, bounds[1:], strict=False)
    ]
    return np.searchsorted(edges, numbers, side="right"), called

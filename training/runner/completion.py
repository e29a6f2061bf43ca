"""What a recipe lacks until rows were seen: classes, values of categories, fills, a vocabulary.

Classes are those of all rows, since a row of each must be in training or the split is refused. The
rest is measured on training rows alone, so that nothing of the others leaks into what is learned;
and always from the recipe as it was asked for (`Dataset.asked`), since what was measured by another
split knows rows that test now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner import tokenizers
from training.runner.readers.content import FileRefused
from training.runner.recipes import Column, Form, Kind, Recipe, Role, RowRefused, majority
from training.runner.recipes.columns import (
    DECIMAL,
    NAME_LENGTH_MAX,
    VALUES_MAX,
    category_text,
    encode_numbers,
    is_missing,
)
from training.runner.rows import Part

Columns = Mapping[str, Sequence[Any]]


def with_classes(recipe: Recipe, columns: Columns) -> Recipe:
    """The same with the names of the classes."""
    return recipe.with_columns(
        [
            replace(column, values=values_of(column, columns[column.name]))
            if column.role is Role.TARGET and column.kind is Kind.CATEGORY and not column.values
            else column
            for column in recipe.columns
        ]
    )


def with_usual(recipe: Recipe, targets: NDArray[Any]) -> Recipe:
    """The same with the class of most rows as the usual one, unless somebody said which it is."""
    if recipe.usual is not None or not recipe.classes:
        return recipe
    counts = np.bincount(targets, minlength=len(recipe.classes)).tolist()
    return replace(recipe, usual=majority(recipe.classes, counts) or None)


def completed(recipe: Recipe, columns: Columns, parts: NDArray[np.int8]) -> Recipe:
    """The same with all that training rows say."""
    train = np.flatnonzero(parts == Part.TRAIN).tolist()
    found = recipe.with_columns(
        [
            complete(column, columns[column.name], train)
            if column in recipe.inputs and column.name in columns
            else column
            for column in recipe.columns
        ]
    )
    if found.kind is not Form.TEXT or found.vocabulary:
        return found
    texts = columns[found.features[0].name]
    return replace(
        found,
        vocabulary=tokenizers.build_vocabulary(
            (texts[row] or "" for row in train), found.tokenizer
        ),
    )


def complete(column: Column, values: Sequence[Any], train: Sequence[int]) -> Column:
    rows = [row for row in train if not is_missing(values[row])]
    seen = [values[row] for row in rows]
    if not seen:
        raise FileRefused(
            f"column {column.name!r} has no value in the rows that train; make it ignored."
        )
    if column.kind is Kind.CATEGORY and not column.values:
        stated = [] if column.missing is None else [column.missing]  # "unknown" is a value, too
        column = replace(column, values=values_of(column, [*seen, *stated]))
    lacks = column.missing is None and any(is_missing(value) for value in values)
    try:
        return replace(column, missing=fill_of(column, seen)) if lacks else column
    except RowRefused as error:  # by its number among all rows
        raise RowRefused(rows[error.row], error.column, error.reason) from error


def fill_of(column: Column, seen: Sequence[Any]) -> float | str:
    """The median, or the most frequent value, of equals the first in the column's order."""
    if column.kind in (Kind.NUMBER, Kind.DATE):
        return float(np.median(encode_numbers(column, seen)))
    if column.kind is Kind.TEXT:
        return ""
    counts = Counter(map(category_text, seen))
    return max(column.values, key=lambda value: counts[value])


def values_of(column: Column, values: Iterable[Any]) -> tuple[str, ...]:
    """The values of a category: by size where they are numbers, else by alphabet."""
    found = {category_text(value, column.name) for value in values if not is_missing(value)}
    if len(found) > VALUES_MAX:
        raise FileRefused(
            f"column {column.name!r} has {len(found):,} values, a category at most "
            f"{VALUES_MAX:,}; make it a text, a number, or ignored."
        )
    for value in found:
        if len(value) > NAME_LENGTH_MAX or not value.isprintable():
            raise FileRefused(
                f"column {column.name!r}: the value {value[:40]!r} is too long or not printable "
                "for the name of a category; make the column a text, or ignored."
            )
    is_numbers = all(DECIMAL.fullmatch(value) for value in found)
    return tuple(sorted(found, key=lambda value: (float(value) if is_numbers else 0.0, value)))

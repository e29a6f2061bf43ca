"""Stored rows as the columns that people would write: the way back from `encoding`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner import tokenizers
from training.runner.recipes.columns import Column, Kind
from training.runner.recipes.recipe import Form, Recipe


def decode_columns(
    recipe: Recipe, features: NDArray[Any], targets: NDArray[Any]
) -> dict[str, list[Any]]:
    """The values of each column by row, for columns that have one value a row: none for pictures
    and arrays. Of a window of a series it is the last step, of dates the days.
    """
    found: dict[str, list[Any]] = {}
    if recipe.kind is Form.TEXT:
        column = recipe.features[0]
        found[column.name] = [
            tokenizers.decode(row, recipe.tokenizer, recipe.vocabulary) for row in features.tolist()
        ]
    if recipe.kind is Form.TABLE:
        found |= decode_features(recipe.features, features)
    if recipe.kind is Form.SERIES:
        return found | decode_features(recipe.inputs, features[:, -1])
    if recipe.classes:
        return found | {recipe.targets[0].name: [recipe.classes[code] for code in targets.tolist()]}
    for number, column in enumerate(recipe.targets):
        found[column.name] = targets[:, number].astype(np.float64).tolist()
    return found


def decode_features(columns: Sequence[Column], features: NDArray[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    begin = 0
    for column in columns:
        width = len(column.feature_names)
        values = features[:, begin : begin + width]
        begin += width
        if column.kind is Kind.CATEGORY:
            found[column.name] = [decode_category(column, row) for row in values]
        else:
            found[column.name] = values[:, 0].astype(np.float64).tolist()
    return found


def decode_category(column: Column, row: NDArray[Any]) -> str | None:
    """None for a value that the column does not know."""
    return column.values[int(row.argmax())] if row.size and row.max() else None

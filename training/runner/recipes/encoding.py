"""Rows as people write them, as the numbers that a network takes.

A row is a mapping {column: value}, a list of values in the order of the feature columns, or already
the list of plain numbers. A picture or array is nested as it is, or flat; a text is a text, or the
numbers of its tokens; a row of a series is its history, at least `window` steps, of which the last
are used: {column: [values]}, or a list of steps.

A category or a text of which training saw nothing is refused; who means it sends the numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.fields import shown, suggestion
from training.runner import tokenizers
from training.runner.recipes import columns as columns_of
from training.runner.recipes.columns import LARGEST, Column, Kind, RowRefused
from training.runner.recipes.recipe import Form, Recipe
from training.runner.recipes.shapes import feature_names, input_of

NESTED_MAX = 4
Encoder = Callable[[Recipe, Sequence[object]], NDArray[Any]]


def encode_rows(recipe: Recipe, rows: Sequence[object] | NDArray[Any]) -> NDArray[Any]:
    """[rows, *input], float32, or uint32 where they are tokens. Raises RowRefused."""
    if not isinstance(rows, np.ndarray):
        return ENCODERS[recipe.kind](recipe, rows)
    is_numbers = recipe.kind is not Form.TEXT and rows.dtype.kind in "fiu"
    if is_numbers and rows.shape[1:] == input_of(recipe):
        return checked(rows)
    return ENCODERS[recipe.kind](recipe, rows.tolist())


def encode_columns(
    recipe: Recipe, columns: Mapping[str, Sequence[Any]], rows: int
) -> NDArray[np.float32]:
    """The inputs of a table or the steps of a series, float32 [rows, features], by column."""
    blocks = [columns_of.encode(column, columns[column.name]) for column in recipe.inputs]
    return np.hstack([np.zeros((rows, 0), np.float32), *blocks])


def encode_targets(recipe: Recipe, columns: Mapping[str, Sequence[Any]], rows: int) -> NDArray[Any]:
    """uint32 [rows] of classes, or float32 [rows, targets] of numbers. Raises RowRefused where a
    class is not one of the recipe's.
    """
    if not recipe.targets:
        return np.zeros(rows, np.uint32)
    target = recipe.targets[0]
    if target.kind is not Kind.CATEGORY:
        numbers = [columns_of.encode_numbers(each, columns[each.name]) for each in recipe.targets]
        return np.stack(numbers, axis=1).astype(np.float32)
    codes = columns_of.encode_codes(target, columns[target.name])
    unseen = np.flatnonzero(codes < 0)
    if unseen.size:
        value = columns[target.name][int(unseen[0])]
        raise RowRefused(int(unseen[0]), target.name, f"{shown(value)} is none of the classes")
    return codes.astype(np.uint32)


def encode_table(recipe: Recipe, rows: Sequence[object]) -> NDArray[np.float32]:
    if (plain := all_numbers(recipe, rows)) is not None:
        return plain
    names = feature_names(recipe)
    found = np.empty((len(rows), len(names)), np.float32)
    written: list[list[Any]] = []
    numbers: list[int] = []
    for row, given in enumerate(rows):
        if isinstance(given, Mapping) and set(given) == set(names):
            given = [given[name] for name in names]
        cells = cells_of(recipe, given, row, plain=len(names))
        if cells is None:
            found[row] = plain_numbers(given, row)
        else:
            written.append(cells)
            numbers.append(row)
    if written:
        found[numbers] = encode_cells(recipe, written, numbers)
    return found


def all_numbers(recipe: Recipe, rows: Sequence[object]) -> NDArray[np.float32] | None:
    """The rows at once, where they are lists of numbers and nothing else, as programs send them by
    the thousand; whatever needs a second look is looked at cell by cell.
    """
    width = len(recipe.inputs)
    if any(column.kind is not Kind.NUMBER for column in recipe.inputs):
        return None
    lists = [row for row in rows if isinstance(row, list) and len(row) == width]
    if len(lists) != len(rows) or not set(map(type, chain.from_iterable(lists))) <= {int, float}:
        return None
    try:
        found = np.array(lists, np.float64)
    except OverflowError:
        return None
    is_exact = (np.abs(found) <= 2.0**53).all()  # which nothing that is not finite is
    return found.astype(np.float32) if is_exact else None


def encode_cells(
    recipe: Recipe, cells: Sequence[Sequence[Any]], numbers: Sequence[int]
) -> NDArray[np.float32]:
    """Rows of values in the order of the inputs; `numbers` are those that errors give."""
    try:
        return np.hstack(
            [
                encode_asked(column, [row[at] for row in cells])
                for at, column in enumerate(recipe.inputs)
            ]
        )
    except RowRefused as error:
        raise RowRefused(numbers[error.row], error.column, error.reason) from error


def encode_asked(column: Column, values: Sequence[Any]) -> NDArray[np.float32]:
    """What is asked of a column, float32 [values, features]. Raises RowRefused."""
    if column.kind is Kind.CATEGORY:
        columns_of.require_seen(column, values)
    return columns_of.encode(column, values)


def read_asked(column: Column, texts: Sequence[str]) -> list[float | str | None]:
    """What was typed of a column as the values that a row has, None where one is not there. Raises
    RowRefused where `encode_rows` would.
    """
    encode_asked(column, texts)
    read = columns_of.read_number if column.kind is Kind.NUMBER else str.strip
    return [None if columns_of.is_missing(text) else read(text) for text in texts]


def cells_of(recipe: Recipe, given: object, row: int, *, plain: int = 0) -> list[Any] | None:
    """The values in the order of the inputs; None for a list of so many plain numbers."""
    inputs = recipe.inputs
    if isinstance(given, Mapping):
        known = [column.name for column in recipe.columns]
        for name in given:
            if name not in known:
                raise RowRefused(row, str(name)[:80], f"is not known{suggestion(name, known)}")
        return [given.get(column.name) for column in inputs]
    values = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(values, list | tuple):
        if len(values) == len(inputs):
            return list(values)
        if plain and len(values) == plain:
            return None
    names = ", ".join(column.name for column in inputs[:8]) + (", …" if len(inputs) > 8 else "")
    size = f"{len(values)} values" if isinstance(values, list | tuple) else shown(values)
    raise RowRefused(row, "", f"must be {len(inputs)} values ({names}), not {size}")


def encode_series(recipe: Recipe, rows: Sequence[object]) -> NDArray[np.float32]:
    window, width = input_of(recipe)
    found = np.empty((len(rows), window, width), np.float32)
    for row, given in enumerate(rows):
        if isinstance(given, list | tuple) and len(given) == window * width > window:
            found[row] = plain_numbers(given, row).reshape(window, width)
            continue
        steps = steps_of(recipe, given, row)
        cells = [cells_of(recipe, step, row) or [] for step in steps]
        found[row] = encode_cells(recipe, cells, [row] * len(cells))
    return found


def steps_of(recipe: Recipe, given: object, row: int) -> list[Any]:
    """The last `window` steps, each a mapping or a list in the order of the inputs."""
    if isinstance(given, Mapping):
        given = steps_of_mapping(recipe, given, row)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list | tuple) or len(given) < recipe.window:
        size = len(given) if isinstance(given, list | tuple) else shown(given)
        raise RowRefused(row, "", f"must be at least {recipe.window} steps, not {size}")
    last = given[-recipe.window :]
    if len(recipe.inputs) == 1:
        return [step if isinstance(step, Mapping | list | tuple) else [step] for step in last]
    return list(last)


def steps_of_mapping(recipe: Recipe, given: Mapping[Any, Any], row: int) -> list[dict[str, Any]]:
    longest = 0
    for name, values in given.items():
        if not isinstance(values, list | tuple):
            raise RowRefused(row, str(name)[:80], f"must be a list of steps, not {shown(values)}")
        longest = max(longest, len(values))
    for name, values in given.items():
        if len(values) != longest:
            size = f"this one has {len(values)} steps, the longest {longest}"
            reason = f"columns must be equally long; {size}"
            raise RowRefused(row, str(name)[:80], reason)
    return [{name: values[step] for name, values in given.items()} for step in range(longest)]


def encode_texts(recipe: Recipe, rows: Sequence[object]) -> NDArray[np.uint32]:
    name, known = recipe.features[0].name, len(recipe.vocabulary)
    found = np.zeros((len(rows), recipe.steps), np.uint32)
    for row, given in enumerate(rows):
        if isinstance(given, Mapping):
            cells = cells_of(recipe, given, row)
            given = cells[0] if cells else None
        if isinstance(given, list | tuple) and len(given) == 1 and isinstance(given[0], str):
            given = given[0]
        if isinstance(given, str):
            found[row] = encode_text(recipe, given, row)[0]
            continue
        numbers = given.tolist() if isinstance(given, np.ndarray) else given
        if not isinstance(numbers, list | tuple) or not 0 < len(numbers) <= recipe.steps:
            reason = f"must be a text, or 1 to {recipe.steps} tokens, not {shown(numbers)}"
            raise RowRefused(row, name, reason)
        for token in numbers:
            if type(token) is not int or not 0 <= token < known:
                reason = f"a token must be from 0 to {known - 1:,}, not {shown(token)}"
                raise RowRefused(row, name, reason)
        found[row, -len(numbers) :] = numbers
    return found


def encode_text(recipe: Recipe, text: str, row: int) -> NDArray[np.uint32]:
    found = tokenizers.encode([text], recipe.tokenizer, recipe.vocabulary, recipe.steps)
    if (found <= tokenizers.UNKNOWN_TOKEN).all():
        reason = f"must begin with {recipe.tokenizer} of which training saw any, not {shown(text)}"
        raise RowRefused(row, recipe.features[0].name, reason)
    return found


def encode_arrays(recipe: Recipe, rows: Sequence[object]) -> NDArray[np.float32]:
    """Pictures and arrays, nested or flat."""
    sides, names = input_of(recipe), feature_names(recipe)
    name = recipe.features[0].name if recipe.features else ""
    found = np.empty((len(rows), int(np.prod(sides))), np.float32)
    for row, given in enumerate(rows):
        if isinstance(given, Mapping) and names and set(given) == set(names):
            given = [given[each] for each in names]
        elif isinstance(given, Mapping):
            given = given.get(name)
        numbers = plain_numbers(leaves(given, row), row)
        if len(numbers) != found.shape[1]:
            shape = " × ".join(map(str, sides))
            raise RowRefused(row, name, f"must be {shape} numbers, not {len(numbers)}")
        found[row] = numbers
    return found.reshape(len(rows), *sides)


def leaves(given: object, row: int, depth: int = 0) -> list[Any]:
    """What nested lists hold, in order."""
    if isinstance(given, np.ndarray):
        return list(given.ravel().tolist())
    if not isinstance(given, list | tuple):
        return [given]
    if depth == NESTED_MAX:
        raise RowRefused(row, "", f"lists are nested more than {NESTED_MAX} deep")
    return [leaf for each in given for leaf in leaves(each, row, depth + 1)]


def plain_numbers(given: Any, row: int) -> NDArray[np.float32]:
    for at, value in enumerate(given):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise RowRefused(row, "", f"value {at}: {shown(value)} is not a number")
        if not -LARGEST <= value <= LARGEST:
            raise RowRefused(row, "", f"value {at}: must be finite and fit a 32-bit float")
    return np.array(given, np.float32)


def checked(rows: NDArray[Any]) -> NDArray[np.float32]:
    flat = rows.reshape(len(rows), -1)
    wrong = np.flatnonzero(~(np.abs(flat) <= LARGEST).all(axis=1))
    if wrong.size:
        raise RowRefused(int(wrong[0]), "", "must be finite and fit a 32-bit float")
    return rows.astype(np.float32)


ENCODERS: Mapping[Form, Encoder] = {
    Form.TABLE: encode_table,
    Form.SERIES: encode_series,
    Form.TEXT: encode_texts,
    Form.IMAGES: encode_arrays,
    Form.ARRAYS: encode_arrays,
    Form.ENVIRONMENT: encode_arrays,
}

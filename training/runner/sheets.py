"""A file of rows that models are asked, as the numbers that each takes.

Rows have the columns of the recipe that a model carries, by name and in any order; others, such as
what it is to foretell, are left aside. A column may also be one number of what the network takes,
as models without a table have them; an array has these numbers in their order. Each row is read as
a call would read it, and none is left out: the third answer is of the third row.

Runs in the process that reads (`reading`); what is not a row a model takes is told by its number,
from 1, and its column, the first of each column.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypedDict

import numpy as np
import polars as pl
import safetensors.numpy
from numpy.typing import NDArray

from training.runner.preparation import values_of
from training.runner.readers.content import Arrays, Content, FileRefused, Table
from training.runner.recipes import (
    Column,
    Form,
    Kind,
    Recipe,
    RowRefused,
    encode_rows,
    feature_names,
    input_of,
)
from training.runner.recipes.columns import is_missing
from training.runner.recipes.encoding import encode_asked

PROBLEMS_MAX = 20
NAMED_MAX = 8


class Problem(TypedDict):
    """`row` counts from 1; `column` is "" where the row as a whole is wrong."""

    row: int
    column: str
    reason: str


class RowsRefused(ValueError):
    """Rows that a model does not take; the text names the first."""

    def __init__(self, faults: Sequence[RowRefused]) -> None:
        ordered = sorted(faults, key=lambda fault: fault.row)[:PROBLEMS_MAX]
        self.problems: list[Problem] = [
            {"row": fault.row + 1, "column": fault.column, "reason": fault.reason}
            for fault in ordered
        ]
        first = self.problems[0]
        column = f", column {first['column']!r}" if first["column"] else ""
        super().__init__(f"row {first['row']:,}{column}: {first['reason']}.")


def read_sheet(content: Content, recipes: Sequence[Recipe]) -> tuple[dict[str, Any], bytes]:
    """How many rows there are and which columns none uses; and the rows of each recipe, by its
    place, as safetensors. Raises FileRefused and RowsRefused.
    """
    arrays = [numbers_of(content, recipe) for recipe in recipes]
    used = {name for recipe in recipes for name in (*named(recipe), *feature_names(recipe))}
    columns = content.frame.columns if isinstance(content, Table) else []
    unused = [name for name in columns if name not in used and not is_array(content)]
    fields = {"rows": len(arrays[0]), "unused": unused}
    packed = {str(number): np.ascontiguousarray(rows) for number, rows in enumerate(arrays)}
    return fields, safetensors.numpy.save(packed)


def named(recipe: Recipe) -> tuple[str, ...]:
    return tuple(column.name for column in recipe.inputs)


def is_array(content: Content) -> bool:
    """Whether columns have no names of their own but those of an array's reader."""
    if not isinstance(content, Table):
        return isinstance(content, Arrays)
    return content.frame.columns == [f"x{n}" for n in range(1, content.frame.width + 1)]


def numbers_of(content: Content, recipe: Recipe) -> NDArray[Any]:
    """[rows, *input]. Raises FileRefused and RowsRefused."""
    if isinstance(content, Arrays):
        return by_place(content.features, recipe)
    if not isinstance(content, Table):
        raise FileRefused("is no table; bring rows as CSV, TSV, Parquet, JSON lines or NPY.")
    there = set(content.frame.columns)
    if recipe.kind is Form.TEXT:
        return texts_of(content, recipe)
    if recipe.kind is Form.TABLE and there >= set(named(recipe)):
        return by_name(content, recipe.inputs)
    names = feature_names(recipe)
    if names and there >= set(names):
        plain = by_name(content, [Column(name, Kind.NUMBER) for name in names])
        return whole(lambda: encode_rows(recipe, plain.reshape(-1, *input_of(recipe))))
    if is_array(content):
        return by_place(content.frame.to_numpy(), recipe)
    raise lacking(content.frame, named(recipe) if recipe.kind is Form.TABLE else names)


def by_name(table: Table, columns: Sequence[Column]) -> NDArray[np.float32]:
    blocks, faults = [], []
    for column in columns:
        try:
            blocks.append(encode_asked(column, values_of(column, table)))
        except RowRefused as fault:
            faults.append(fault)
    if faults:
        raise RowsRefused(faults)
    return np.hstack(blocks)


def by_place(array: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    sides = input_of(recipe)
    if int(np.prod(array.shape[1:])) != int(np.prod(sides)):
        shape, wanted = (" × ".join(map(str, each)) for each in (array.shape[1:], sides))
        raise FileRefused(f"has rows of {shape or 1} numbers, and the model takes {wanted}.")
    return whole(lambda: encode_rows(recipe, array.reshape(len(array), *sides)))


def texts_of(table: Table, recipe: Recipe) -> NDArray[Any]:
    wanted = recipe.features[0].name
    frame = table.frame
    name = wanted if wanted in frame.columns else frame.columns[0]
    if name != wanted and frame.width > 1:
        raise lacking(frame, (wanted,))
    texts = frame[name].to_list()
    empty = next((row for row, text in enumerate(texts) if is_missing(text)), None)
    if empty is not None:
        raise RowsRefused([RowRefused(empty, name, "has no text")])
    return whole(lambda: encode_rows(recipe, list(map(str, texts))))


def whole(act: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    try:
        return act()
    except RowRefused as fault:
        raise RowsRefused([fault]) from fault


def lacking(frame: pl.DataFrame, names: Sequence[str]) -> FileRefused:
    missing = [name for name in names if name not in frame.columns]
    there = ", ".join(shortened(frame.columns))
    if not missing:
        return FileRefused("has not the rows that the model takes; it takes them from NPY.")
    return FileRefused(f"has no column {', '.join(shortened(missing))}; it has: {there}.")


def shortened(names: Sequence[str]) -> Iterator[str]:
    yield from map(repr, names[:NAMED_MAX])
    if len(names) > NAMED_MAX:
        yield f"and {len(names) - NAMED_MAX:,} more"

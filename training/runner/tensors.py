"""What programs ask of a network in arrays: its own input, or the columns of a table by name.

Its own input are the numbers that the network takes, which for all but categories and dates are
those of the row as people write it. Where a table has some of these, it can be asked by columns.
"""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from kernels.predictor import Port
from training.runner.answers import ROWS_MAX, QuestionRefused, encoded
from training.runner.networks import Asked
from training.runner.recipes import Form, Kind, Recipe

Tensors = Mapping[str, NDArray[Any]]


def columns_of(recipe: Recipe | None) -> tuple[Port, ...]:
    """The columns of a table that is not all numbers; else none."""
    if recipe is None or recipe.kind is not Form.TABLE:
        return ()
    if all(column.kind is Kind.NUMBER for column in recipe.inputs):
        return ()
    return tuple(
        Port(column.name, "f8" if column.kind is Kind.NUMBER else "text", (1,))
        for column in recipe.inputs
    )


def rows_asked(network: Asked, asked: Tensors) -> NDArray[Any]:
    """The rows as the network takes them. Raises QuestionRefused; whether numbers and shape fit is
    looked at where they are used.
    """
    counts = {len(given) if given.ndim else 0 for given in asked.values()}
    if len(counts) != 1 or not 1 <= min(counts) <= ROWS_MAX:
        raise QuestionRefused(
            f"inputs: must have 1 to {ROWS_MAX:,} rows, all of them as many; they have "
            f"{', '.join(map(str, sorted(counts))) or 'none'}."
        )
    own, recipe = network.takes.name, network.recipe
    if set(asked) == {own}:
        return asked[own]
    known = [column.name for column in recipe.inputs] if recipe is not None else []
    if recipe is None or recipe.kind is not Form.TABLE or not set(asked) <= set(known):
        by_column = f", or the columns {', '.join(known[:8])}" if columns_of(recipe) else ""
        names = ", ".join(map(repr, asked))
        raise QuestionRefused(f"inputs: must be {own!r}{by_column}; not {names[:200]}.")
    values = [cells(name, given) for name, given in asked.items()]
    return encoded(
        network, [dict(zip(asked, row, strict=True)) for row in zip(*values, strict=True)]
    )


def cells(name: str, given: NDArray[Any]) -> list[Any]:
    """The values of a column. Raises QuestionRefused."""
    if given.size != len(given):
        shape = list(given.shape)
        raise QuestionRefused(f"inputs.{name}: a column has one value a row; its shape is {shape}.")
    return given.ravel().tolist()

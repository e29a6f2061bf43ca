"""Rows of a table that are left out, since they do not tell what is asked for."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from training.runner.findings import Finding, named
from training.runner.readers.content import Content, Table
from training.runner.recipes import Column, Form, Recipe
from training.runner.recipes.columns import is_missing

Raw = dict[str, list[Any]]


def names_of(columns: Sequence[Column]) -> str:
    return named([column.name for column in columns])


def with_targets(recipe: Recipe, raw: Raw) -> tuple[Raw, Sequence[int]]:
    """The rows that tell what is asked for, and their numbers: nothing is learned of the others. A
    series needs each of its steps.
    """
    rows = range(len(next(iter(raw.values()))))
    asked = [raw[each.name] for each in recipe.targets if each.missing is None]
    if recipe.kind not in (Form.TABLE, Form.TEXT) or not any(map(is_missing, chain(*asked))):
        return raw, rows
    kept = [row for row in rows if not any(is_missing(values[row]) for values in asked)]
    return {name: [values[row] for row in kept] for name, values in raw.items()}, kept


def said_of(content: Content, recipe: Recipe, kept: Sequence[int]) -> Sequence[Finding]:
    """What is to be said of how the file was read, and of rows that were left out."""
    if not isinstance(content, Table):
        return ()
    left_out = content.frame.height - len(kept)
    if not left_out:
        return content.findings
    message = (
        f"{left_out:,} of {content.frame.height:,} rows are left out, since they have no value of "
        f"{names_of(recipe.targets)}, which is asked for."
    )
    return *content.findings, Finding("warn", "no_target", message, left_out)

"""From what a file held to rows that a network is trained on: the recipe, the split, the numbers.

Runs in the process that reads (`reading`), never in a worker's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kernels.data import DataShape, Target
from training.runner import tokenizers
from training.runner.completion import Columns, completed, with_classes, with_usual
from training.runner.findings import Finding
from training.runner.groups import sensitive_of
from training.runner.health import Evidence, report_of
from training.runner.omissions import names_of, said_of, with_targets
from training.runner.readers.content import (
    Arrays,
    Bounds,
    Content,
    FileRefused,
    Pictures,
    Table,
    Text,
)
from training.runner.recipes import (
    Column,
    Form,
    Kind,
    Recipe,
    Role,
    Split,
    SplitKind,
    encode_columns,
    encode_targets,
    feature_names,
    input_of,
    shape_of,
)
from training.runner.recipes.columns import RowRefused, encode_numbers, is_missing
from training.runner.rows import Part, Rows
from training.runner.schemas import category_of, infer, is_numbers
from training.runner.series import refuse_repeated_times, series_numbers, windows_of_parts
from training.runner.splits import choose_parts, inferred_parts

ROWS_MIN = 4
ROLES_OF_SPLITS = {SplitKind.TIME: Role.TIME, SplitKind.GROUP: Role.GROUP}
Raw = dict[str, list[Any]]


@dataclass(frozen=True, eq=False)
class Prepared:
    rows: Rows
    asked: Recipe  # before anything was measured on the rows
    recipe: Recipe
    split: Split
    report: dict[str, Any]

    @property
    def shape(self) -> DataShape:
        return shape_of(self.recipe)

    def fields(self) -> dict[str, Any]:
        """The columns of a dataset's row, as JSON."""
        shape, parts = self.shape, self.rows.parts
        image = [self.recipe.height, self.recipe.width]
        is_classes = shape.target is Target.CLASSES and self.recipe.targets
        balance = np.bincount(self.rows.targets, minlength=shape.size) if is_classes else None
        return {
            "category": category_of(self.recipe),
            "asked": self.asked.to_json(),
            "recipe": self.recipe.to_json(),
            "shape": shape.to_json(),
            "split": self.split.to_json(),
            "report": self.report,
            "rows": len(parts),
            "columns": shape.features,
            "features": list(feature_names(self.recipe)),
            "classes": list(answers_of(self.recipe)),
            "class_balance": [] if balance is None else balance.tolist(),
            "image_shape": image if self.recipe.kind is Form.IMAGES else None,
            "split_seed": self.split.seed,
            "train_rows": int((parts == Part.TRAIN).sum()),
            "validation_rows": int((parts == Part.VALIDATION).sum()),
            "test_rows": int((parts == Part.TEST).sum()),
        }


def answers_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of the classes, or of the values that are asked for."""
    names = tuple(column.name for column in recipe.targets)
    if recipe.kind is Form.SERIES:
        return tuple(f"{name} t+{ahead + 1}" for ahead in range(recipe.horizon) for name in names)
    return recipe.classes or names


def prepare(
    content: Content, bounds: Bounds, *, recipe: Recipe | None = None, split: Split | None = None
) -> Prepared:
    """Raises FileRefused, RecipeRefused, RowRefused, SplitRefused. What nobody said is inferred."""
    guess, guessed_split = infer(content) if recipe is None else (recipe, None)
    if recipe is None and isinstance(content, Table) and not guess.inputs:
        raise FileRefused(
            f"has no column that can be a feature: {nothing_in(content)}. Bring one that tells "
            "something: a number, a category, a date or a text."
        )
    asked = recipe or checked(guess)
    chosen = split or guessed_split
    if isinstance(content, Text):
        return prepare_text(content, asked, chosen, bounds)
    raw = raw_of(content, asked)
    rows = len(next(iter(raw.values())))
    raw, kept = with_targets(asked, raw)
    if len(kept) < ROWS_MIN:
        with_them = f" with a value of {names_of(asked.targets)}" * (len(kept) < rows)
        many = f"{len(kept)} row{'s' * (len(kept) != 1)}{with_them}"
        raise FileRefused(f"has {many}; bring at least {ROWS_MIN}, better hundreds.")
    said = said_of(content, asked, kept)
    if asked.kind is Form.SERIES:
        return prepare_series(raw, asked, chosen, bounds, said)
    try:
        return prepare_rows(content, raw, asked, chosen, bounds, said)
    except RowRefused as error:  # by its number in the file
        raise RowRefused(kept[error.row], error.column, error.reason) from error


def prepare_rows(
    content: Content,
    raw: Raw,
    asked: Recipe,
    chosen: Split | None,
    bounds: Bounds,
    said: Sequence[Finding],
) -> Prepared:
    """Rows, each of which is an example by itself."""
    rows = len(next(iter(raw.values())))
    found = with_classes(asked, raw)
    targets = encode_targets(found, raw, rows)
    chosen, parts = parts_of(found, raw, chosen, targets)
    found = checked(with_usual(completed(found, raw, parts), targets))
    bounds.check_size(rows, shape_of(found).features, "features")
    features = features_of(content, found, raw)
    groups, group_names = sensitive_of(found, raw, parts)
    if found.kind is Form.TEXT and not found.targets:
        features, targets = features[:, :-1], features[:, 1:]
    evidence = Evidence(
        found, raw, features, targets, parts, files_of(content), stated_fills(asked), said
    )
    report = report_of(evidence) | {"groups": group_names}
    split_by = split_numbers(found, raw, chosen, rows)
    return Prepared(Rows(features, targets, parts, groups, split_by), asked, found, chosen, report)


def checked(recipe: Recipe) -> Recipe:
    """What was made here is held to what is asked of a person's. Raises RecipeRefused."""
    return Recipe.from_json(recipe.to_json())


def nothing_in(table: Table) -> str:
    """Why none of the columns tells anything."""
    names = table.frame.columns
    if all(table.frame[name].null_count() == table.frame.height for name in names):
        return "all are empty" if len(names) > 1 else f"{names[0]!r} is empty"
    return "each is empty or only says which row it is"


# What columns hold


def raw_of(content: Content, recipe: Recipe) -> Raw:
    """The values of the columns as they came, by name. Pictures and arrays are none."""
    match content, recipe.kind:
        case Table(frame), Form.TABLE | Form.SERIES | Form.TEXT:
            for column in recipe.columns:
                if column.name not in frame.columns:
                    known = ", ".join(frame.columns[:20])
                    raise FileRefused(f"has no column {column.name!r}; it has: {known}.")
            return {column.name: values_of(column, content) for column in recipe.columns}
        case Pictures(), Form.IMAGES:
            named = {column.name: content.labels for column in recipe.targets}
            return named or {"class": content.labels}
        case Arrays(features, targets), Form.ARRAYS | Form.IMAGES:
            return raw_of_arrays(features, targets, recipe)
    raise FileRefused(f"holds nothing of the kind {recipe.kind.value!r}; correct recipe.kind.")


def values_of(column: Column, table: Table) -> list[Any]:
    """As they came; numbers as such where all of them are, which is read faster in one go and is
    the same to the bit. Where a few are none, these are what is refused, not a comma in others.
    """
    values = table.frame[column.name]
    if column.kind is Kind.NUMBER:
        values = table.almost.get(column.name, values)
    if column.kind is Kind.NUMBER and values.dtype == pl.String:
        numbers = values.cast(pl.Float64, strict=False)
        if numbers.null_count() == values.null_count() and is_numbers(values.drop_nulls()):
            return numbers.to_list()
    return values.to_list()


def raw_of_arrays(features: NDArray[Any], targets: NDArray[Any] | None, recipe: Recipe) -> Raw:
    if not recipe.targets:
        return {"target": [None] * len(features)}
    values = None if targets is None else targets.reshape(len(targets), -1)
    if values is None or values.shape[1] != len(recipe.targets):
        there = 0 if values is None else values.shape[1]
        raise FileRefused(
            f"has {there} targets for each row, and the recipe {len(recipe.targets)}."
        )
    return {column.name: values[:, number].tolist() for number, column in enumerate(recipe.targets)}


def features_of(content: Content, recipe: Recipe, raw: Columns) -> NDArray[Any]:
    """[rows, *input], float32 or tokens; a token more where the next one is asked for."""
    sides = input_of(recipe)
    match content:
        case Pictures(pixels):
            if pixels.shape[1:] != sides:
                raise FileRefused(f"pictures are {pixels.shape[1:]}, and the recipe says {sides}.")
            return (pixels * np.float32(recipe.white / 255)).astype(np.float32)
        case Arrays(features):
            if int(np.prod(features.shape[1:])) != int(np.prod(sides)):
                there = features.shape[1:]
                raise FileRefused(f"rows are {there}, and the recipe says {sides}.")
            return features.reshape(len(features), *sides).astype(np.float32)
    if recipe.kind is Form.TEXT:
        column = recipe.features[0]
        texts = [column.missing if is_missing(text) else text for text in raw[column.name]]
        steps = recipe.steps + (not recipe.targets)
        written = [str(text or "") for text in texts]
        return tokenizers.encode(written, recipe.tokenizer, recipe.vocabulary, steps)
    return encode_columns(recipe, raw, len(next(iter(raw.values()))))


def files_of(content: Content) -> Sequence[str]:
    return content.files if isinstance(content, Pictures) else ()


def stated_fills(asked: Recipe) -> frozenset[str]:
    return frozenset(column.name for column in asked.columns if column.missing is not None)


# Parts


def parts_of(
    recipe: Recipe, raw: Columns, split: Split | None, targets: NDArray[Any]
) -> tuple[Split, NDArray[np.int8]]:
    """As it was said, or as it is inferred."""
    classes = targets if recipe.classes else None
    if split is None:
        kind = SplitKind.RANDOM if classes is None else SplitKind.STRATIFIED
        return inferred_parts(Split(kind), len(targets), classes)
    column = column_of(recipe, split)
    split = replace(split, column=column)
    if column and column not in raw:
        raise FileRefused(f"has no column {column!r} to split by; correct split.column.")
    if split.kind is SplitKind.STRATIFIED:
        return inferred_parts(split, len(targets), classes)
    return split, choose_parts(
        split,
        len(targets),
        classes=classes,
        order=order_of(recipe, raw, column) if split.kind is SplitKind.TIME and column else None,
        groups=[str(value) for value in raw[column]] if column else None,
    )


def split_numbers(
    recipe: Recipe, raw: Columns, split: Split, rows: int
) -> NDArray[np.int32] | None:
    """What rows were split by, int32 [rows]: the number of the group of each, or its place in time;
    None where each was drawn by itself.
    """
    if split.kind is SplitKind.GROUP:
        groups = [str(value) for value in raw[split.column]]
        return np.unique(groups, return_inverse=True)[1].astype(np.int32)
    if split.kind is not SplitKind.TIME:
        return None
    places = np.arange(rows, dtype=np.int32)
    if split.column:
        ranked = np.argsort(order_of(recipe, raw, split.column), kind="stable")
        places[ranked] = np.arange(rows, dtype=np.int32)
    return places


def column_of(recipe: Recipe, split: Split) -> str:
    """What rows are split by: the column that was said, else the first that has the role. Rows that
    are drawn each by itself go by none, whatever else the file holds.
    """
    if split.kind not in ROLES_OF_SPLITS:
        return ""
    named = (each.name for each in recipe.of_role(ROLES_OF_SPLITS[split.kind]))
    return split.column or next(named, "")


def order_of(recipe: Recipe, raw: Columns, name: str) -> NDArray[np.float64]:
    """The time of each row, as a number. Raises RowRefused."""
    column = next(each for each in recipe.columns if each.name == name)
    if column.kind not in (Kind.NUMBER, Kind.DATE):
        raise FileRefused(f"column {name!r} is {column.kind.named}; time is a date or a number.")
    return encode_numbers(column, raw[name])


# Series and running text


def prepare_series(
    raw: Raw, asked: Recipe, split: Split | None, bounds: Bounds, said: Sequence[Finding]
) -> Prepared:
    """Windows of rows in the order of their time, each in one part."""
    split = split or Split(SplitKind.TIME)
    if split.kind is not SplitKind.TIME:
        raise FileRefused("is a series, which is split by time; correct split.kind.")
    times = asked.of_role(Role.TIME)
    if times:
        split = replace(split, column=times[0].name)
        order = np.argsort(order_of(asked, raw, split.column), kind="stable").tolist()
        raw = {name: [values[row] for row in order] for name, values in raw.items()}
        refuse_repeated_times(asked, raw, order_of(asked, raw, split.column))
    steps = len(next(iter(raw.values())))
    parts = choose_parts(split, steps)
    found = completed(asked, raw, parts)
    bounds.check_size(steps, shape_of(found).features, "steps of windows")
    targets = np.stack([encode_numbers(each, raw[each.name]) for each in found.targets], axis=1)
    features, following, of_part = windows_of_parts(
        encode_columns(found, raw, steps),
        targets.astype(np.float32),
        parts,
        found.window,
        found.horizon,
        series_numbers(found, raw),
    )
    needed = found.window + found.horizon
    for part in Part:
        there = int((parts == part).sum())
        if there and not (of_part == part).any():
            raise FileRefused(
                f"has {there} steps for {part.name.lower()}, and a window with its horizon has "
                f"{needed}; make recipe.window or recipe.horizon smaller, or bring more."
            )
    fills = stated_fills(asked)
    report = report_of(Evidence(found, raw, features, following, of_part, (), fills, said))
    return Prepared(Rows(features, following, of_part), asked, found, split, report)


def prepare_text(text: Text, asked: Recipe, split: Split | None, bounds: Bounds) -> Prepared:
    """Pieces of running text, one after the other; what is asked is each next token."""
    if asked.kind is not Form.TEXT or asked.targets:
        raise FileRefused("is running text; correct recipe.kind to 'text', without a target.")
    split = split or Split(SplitKind.TIME)
    found = tokenizers.tokens(text.text, asked.tokenizer)
    length = asked.steps + 1
    rows = len(found) // length
    if rows < ROWS_MIN:
        raise FileRefused(
            f"has {len(found):,} tokens, {rows} pieces of {length}; bring at least {ROWS_MIN}, "
            "or make recipe.steps smaller."
        )
    bounds.check_size(rows, length, "tokens")
    parts = choose_parts(split, rows)
    pieces = [found[row * length : (row + 1) * length] for row in range(rows)]
    name, recipe = asked.features[0].name, asked
    if not asked.vocabulary:
        train = (pieces[row] for row in np.flatnonzero(parts == Part.TRAIN))
        recipe = replace(asked, vocabulary=tokenizers.vocabulary_of(train, asked.tokenizer))
    known = tokenizers.known_numbers(recipe.vocabulary)
    unknown = tokenizers.UNKNOWN_TOKEN
    tokens = np.array([[known.get(each, unknown) for each in piece] for piece in pieces], "<u4")
    raw = {name: [tokenizers.joined(piece, recipe.tokenizer) for piece in pieces]}
    features, targets = tokens[:, :-1], tokens[:, 1:]
    report = report_of(Evidence(recipe, raw, features, targets, parts, ()))
    return Prepared(Rows(features, targets, parts), asked, recipe, split, report)

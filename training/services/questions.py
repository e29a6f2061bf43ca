"""What a model may be asked, by example: a question that it takes as it stands.

A model is sold, its data are not: who may not see the rows is shown their mean, or the commonest
tokens, which its file tells anyhow.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from numpy.typing import NDArray

from governance.models import User
from training.models import Dataset, Model
from training.runner import tokenizers
from training.runner.answers import AnswerKind
from training.runner.recipes import Column, Form, Recipe, columns, feature_names
from training.runner.recipes import Kind as ColumnKind
from training.runner.recipes.decoding import decode_features
from training.runner.rows import Part
from training.services.datasets import KEPT_SECONDS, label_of, load_rows
from training.services.predictions import prediction_kind, prediction_recipe

NAMED_MAX = 32  # a row of more numbers is a list, which is easier to read than as many names
PROMPT_TOKENS = 40


def example_question(*, model: Model, viewer: User | None) -> Any:
    """About the first row of the test part, or what stands for one: where there are no rows, and
    where they are not the viewer's to see. Kept, since all rows are read for it.
    """
    dataset = model.job.dataset
    is_visible = dataset.is_visible_to(viewer)
    key = f"question/{model.sha256}/{dataset.pk}/{dataset.sha256}/{is_visible}"
    kept = cache.get(key)
    if kept is None:
        kept = make_question(model, is_visible=is_visible)
        cache.set(key, kept, timeout=KEPT_SECONDS)
    return kept


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A row that no training read, as a question that the model takes as it stands."""

    number: int
    label: str
    question: Any
    values: list[float]

    @property
    def alt(self) -> str:
        return f"Row {self.number}"


def tested_questions(*, model: Model, count: int) -> list[Tested]:
    """The first rows of the test part, to choose from; for who may see them. None where the model
    takes no row, or has none. Kept, as `example_question` is.
    """
    dataset = model.job.dataset
    key = f"questions/{model.sha256}/{dataset.pk}/{dataset.sha256}/{count}"
    kept: list[Tested] | None = cache.get(key)
    if kept is None:
        kept = (
            [] if prediction_kind(model=model) is AnswerKind.SAMPLE else first_tested(model, count)
        )
        cache.set(key, kept, timeout=KEPT_SECONDS)
    return kept


def first_tested(model: Model, count: int) -> list[Tested]:
    kind, recipe = prediction_kind(model=model), prediction_recipe(model=model)
    rows = load_rows(model.job.dataset)
    return [
        Tested(
            number=int(number),
            label=label_of(model.job.dataset, rows.targets[number]),
            question=question_of(recipe, kind, rows.features[number : number + 1]),
            values=rows.features[number].reshape(-1).tolist(),
        )
        for number in rows.numbers(Part.TEST)[:count]
    ]


def make_question(model: Model, *, is_visible: bool) -> Any:
    kind, dataset = prediction_kind(model=model), model.job.dataset
    if kind is AnswerKind.SAMPLE:
        return {"count": 16, "seed": 0}
    tested = load_rows(dataset).only(Part.TEST).features if is_visible else of_nobody(dataset)
    if not len(tested):
        tested = np.zeros((1, *dataset.data_shape.input), np.float32)
    return question_of(prediction_recipe(model=model), kind, tested)


def question_of(recipe: Recipe, kind: AnswerKind, tested: NDArray[Any]) -> Any:
    """About the first of these rows; of texts, about the first that is told in known words."""
    if recipe.kind is Form.TEXT:
        return text_question(recipe, tested, kind)
    if recipe.kind is Form.SERIES and len(recipe.inputs) <= NAMED_MAX:
        return by_column(recipe, tested[0])
    if recipe.kind is Form.TABLE and is_worded(recipe):
        return {name: values[0] for name, values in by_column(recipe, tested[:1]).items()}
    return row_question(tested[0], feature_names(recipe))


def of_nobody(dataset: Dataset) -> NDArray[Any]:
    """One row [1, *input] that no row is: the mean of those trained on, or the commonest tokens."""
    shape = dataset.data_shape
    if shape.vocabulary:
        first = tokenizers.UNKNOWN_TOKEN + 1
        known = max(shape.vocabulary - first, 1)
        return first + np.arange(shape.input[0], dtype=np.uint32)[None] % known
    trained = load_rows(dataset).only(Part.TRAIN).features
    mean: NDArray[np.float64] = trained.mean(axis=0, dtype=np.float64)
    return mean[None].astype(np.float32)


def text_question(recipe: Recipe, rows: NDArray[Any], kind: AnswerKind) -> Any:
    """Of the first text of which every token is known, where there is one."""
    name = recipe.features[0].name
    known = np.flatnonzero((rows != tokenizers.UNKNOWN_TOKEN).all(axis=1))
    tokens = rows[known[0] if len(known) else 0]
    cut = tokens[:PROMPT_TOKENS] if kind is AnswerKind.TEXT else tokens
    text = tokenizers.decode(cut.tolist(), recipe.tokenizer, recipe.vocabulary)
    if kind is AnswerKind.TEXT:
        whole = text.partition(" ")[2] or text  # from the first word that is not cut
        return {name: whole, "length": 200, "temperature": 0.7, "seed": 0}
    return {name: text}


def is_worded(recipe: Recipe) -> bool:
    """Whether a row says words or dates, and of few columns."""
    kinds = {column.kind for column in recipe.inputs}
    return len(recipe.inputs) <= NAMED_MAX and kinds != {ColumnKind.NUMBER}


def by_column(recipe: Recipe, rows: NDArray[Any]) -> dict[str, list[Any]]:
    """Rows [rows, features], or the steps of one of a series, as people would write them."""
    decoded = decode_features(recipe.inputs, rows)
    return {
        column.name: [said_of(column, value) for value in decoded[column.name]]
        for column in recipe.inputs
    }


def said_of(column: Column, value: Any) -> Any:
    """For a category that training did not see, what stands in for it, or its first."""
    if column.kind is ColumnKind.CATEGORY:
        return value or column.missing or column.values[0]
    return day_of(value) if column.kind is ColumnKind.DATE else shortest(np.float32(value))


def day_of(days: float) -> str | float:
    """As a date, where our calendar has it."""
    try:
        return (columns.EPOCH + timedelta(days=days)).date().isoformat()
    except OverflowError:
        return days


def row_question(row: NDArray[Any], names: tuple[str, ...]) -> Any:
    """By name where there are few, else in order; numbers as short as float32 lets them be."""
    values = [shortest(value) for value in row.reshape(-1)]
    if names and len(values) == len(names) <= NAMED_MAX and row.ndim == 1:
        return dict(zip(names, values, strict=True))
    return values


def shortest(value: np.float32) -> float:
    """The decimal number of fewest digits that is this float32."""
    return float(np.format_float_positional(value, unique=True))

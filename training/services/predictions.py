"""Predictions: rows in, answers out, computed in the sandbox."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from governance.services import Refusal
from kernels.limits import SandboxError
from kernels.predictor import Port, RowsRefused
from kernels.sampling import SamplingRefused
from training.models import Model
from training.runner import answers, networks, tensors
from training.runner.answers import (
    ROWS_MAX,
    AnswerKind,
    Prediction,
    QuestionRefused,
)
from training.runner.recipes import Recipe
from training.runner.sharing import TooLate
from training.runner.tensors import Tensors
from training.services.files import reading

# What a row costs where no author asks for more: the sandbox's time.
COMPUTE_PRICE_MICROCREDITS = 100
RETRY_SECONDS = 1


class InvalidRows(Refusal):
    """The input is not what the model takes; says what it takes."""

    status = 422


class TooManyCalls(Refusal):
    """As many predictions as this site answers at a time are on their way; ask again in a moment.
    Nothing is charged.
    """

    status = 429


class AnswerLate(Refusal):
    """A prediction was not there in the time that a call may take; nothing is charged."""

    status = 503


def too_many_calls(most: int) -> TooManyCalls:
    """To who comes when `most` are there already, which the door of the process notices."""
    return TooManyCalls(
        f"{most} predictions are under way at this moment, and no more at a time; ask again in a "
        "second. Nothing was charged.",
        retry_seconds=RETRY_SECONDS,
    )


def ready(sha256: str) -> networks.ReadyModel:
    try:
        with reading(sha256):
            return networks.READY.take(sha256)
    except SandboxError as error:
        raise Refusal(f"The model could not be loaded: {error}") from error


def predict(*, model: Model, rows: object, seconds: float | None = None) -> list[Prediction]:
    """What the model answers to a row or a list of rows, as `training.runner.answers` says; in so
    many seconds, if that is less than every call has.
    """
    return predict_with_file(sha256=model.sha256, rows=rows, seconds=seconds)


def predict_with_file(
    *, sha256: str, rows: object, seconds: float | None = None
) -> list[Prediction]:
    """The same with a stored model file that has no row, such as what one node of many trained."""
    with answering(sha256, seconds) as network:
        return answers.answer(network, rows)


def predict_numbers(*, model: Model, rows: NDArray[Any]) -> list[Prediction]:
    """What the model answers to rows that a file held (`training.runner.sheets`), as to a call."""
    with answering(model.sha256) as network:
        return answers.answer_numbers(network, rows)


def infer(
    *,
    model: Model,
    asked: Tensors,
    wanted: Collection[str] = (),
    seconds: float | None = None,
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """What the network answers, by the names of its outputs, each (rows, …); and how many rows.

    Asked is what it takes, under its name, or the columns of a table under theirs. Of the outputs
    those that are wanted, or all.
    """
    with answering(model.sha256, seconds) as network:
        shapes = {port.name: port.shape for port in network.gives}
        if unknown := set(wanted) - set(shapes):
            raise InvalidRows(f"outputs: there is no {min(unknown)!r}, but {', '.join(shapes)}.")
        rows = tensors.rows_asked(network, asked)
        found = network.outputs(rows)
        names = wanted or shapes
        return {name: found[name].reshape(len(rows), *shapes[name]) for name in names}, len(rows)


@dataclass(frozen=True)
class Ports:
    """What `infer` takes and gives; of a table that is not all numbers, its columns."""

    takes: Sequence[Port]
    gives: Sequence[Port]


def ports(*, model: Model) -> Ports:
    """Loads the network, so that it is ready."""
    network = ready(model.sha256)
    columns = tensors.columns_of(network.recipe)
    return Ports(columns or (network.predictor.takes,), network.predictor.gives)


@contextmanager
def answering(sha256: str, seconds: float | None = None) -> Iterator[networks.Asked]:
    """A network to ask in one call, with whatever hinders it as a refusal."""
    most_seconds = min(seconds or settings.PREDICTION_SECONDS, settings.PREDICTION_SECONDS)
    try:
        until_seconds = time.monotonic() + most_seconds
        yield networks.Asked(ready(sha256), until_seconds)
    except TooLate as error:
        raise AnswerLate(
            f"The answer was not there after {most_seconds:g} seconds; ask again, "
            "or for less in one call. Nothing was charged.",
            retry_seconds=RETRY_SECONDS,
        ) from error
    except SandboxError as error:
        networks.READY.drop(sha256)
        raise Refusal(f"The model could not answer: {error}") from error
    except RowsRefused as error:
        raise InvalidRows(f"input_data: {error}") from error
    except (QuestionRefused, SamplingRefused) as error:
        raise InvalidRows(str(error)) from error


def prediction_kind(*, model: Model) -> AnswerKind:
    """What a model answers with, so that a page can ask for what it takes."""
    try:
        return answers.kind_of(ready(model.sha256).model)
    except QuestionRefused as error:
        raise InvalidRows(str(error)) from error


def prediction_recipe(*, model: Model) -> Recipe:
    """How a row becomes the numbers that a model takes: what answers reads rows by it, too."""
    recipe = ready(model.sha256).recipe
    if recipe is None:
        raise InvalidRows("The model says nothing of how a row becomes its numbers.")
    return recipe


def count_rows(*, model: Model, rows: object) -> int:
    """How many answers this asks for, without computing one."""
    network = ready(model.sha256)
    if network.recipe is None:
        return len(answers.listed(rows))
    return len(answers.rows_in(rows, network.recipe))


def require_one_row(*, model: Model, rows: object) -> None:
    """A page shows one answer, so it asks for no more: others would be counted and seen by nobody.

    Raises InvalidRows.
    """
    count = len(answers.rows_in(rows, prediction_recipe(model=model)))
    if count > 1:
        raise InvalidRows(
            f"input_data: must be one row, not {count:,}; the API answers up to {ROWS_MAX:,} in "
            "one call."
        )

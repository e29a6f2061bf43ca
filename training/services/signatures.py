"""Whether two models may be asked the same question."""

from typing import Any

from training.models import Model
from training.runner import answers
from training.runner.answers import QuestionRefused
from training.runner.recipes import input_of
from training.services.predictions import ready


def take_the_same(one: Model, other: Model) -> bool:
    """Whether what is sent to one may be sent to the other, and is answered by the same kind."""
    return one.sha256 == other.sha256 or said_of(one) == said_of(other)


def said_of(model: Model) -> tuple[Any, ...]:
    network = ready(model.sha256)
    recipe = network.recipe
    try:
        kind = answers.kind_of(network.model)
    except QuestionRefused:
        kind = None
    if recipe is None:
        return kind, None
    columns = tuple((column.name, column.kind) for column in recipe.inputs)
    return kind, recipe.kind, columns, input_of(recipe)

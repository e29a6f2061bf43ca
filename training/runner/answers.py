"""What a model answers, by what it was trained for: a class, values, a forecast, a score, a text,
samples, or an action; and what it may be asked.

Rows come as people write them and become numbers by the recipe in the model's file; a picture may
be a file, in Base64. What makes examples takes no rows but a seed and a count; what writes on takes
a text.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import build, generator, sampling
from kernels.data import Target
from kernels.fields import Field, Reader, Real, Whole, shown
from kernels.modelfile import Model
from training.runner import anomalies, pictures, tokenizers
from training.runner.networks import Asked
from training.runner.pictures import PictureRefused
from training.runner.recipes import Form, Recipe, RowRefused, encode_rows, input_of

# Of one call, however many questions it asks.
ROWS_MAX = 1_000
LENGTH_MAX = 400  # tokens: about a second


class AnswerKind(StrEnum):
    """What an answer is."""

    CLASS = "class"
    VALUES = "values"
    FORECAST = "forecast"
    ANOMALY = "anomaly"
    TEXT = "text"
    SAMPLE = "sample"
    ACTION = "action"


BY_TARGET = {
    Target.CLASSES: AnswerKind.CLASS,
    Target.VALUES: AnswerKind.VALUES,
    Target.MARKS: AnswerKind.VALUES,
    Target.NEXT: AnswerKind.TEXT,
    Target.ACTIONS: AnswerKind.ACTION,
}
SAMPLE_FIELDS: dict[str, Field] = {"count": Whole(1, ROWS_MAX), "seed": Whole(0, 2**63 - 1)}
TEXT_FIELDS: dict[str, Field] = {
    "length": Whole(1, LENGTH_MAX),
    "temperature": Real(0.0, 100.0),
    "top_k": Whole(0, tokenizers.VOCABULARY_MAX),
    "seed": Whole(0, 2**63 - 1),
}
TEXT_DEFAULTS = {"length": 200, "temperature": 0.7, "top_k": 0, "seed": 0}


class QuestionRefused(ValueError):
    """What was asked is not what the model takes; names the field, the value and what would do."""


FIELDS = {
    AnswerKind.CLASS: ("label", "confidence", "probabilities"),
    AnswerKind.VALUES: ("values",),
    AnswerKind.FORECAST: ("values",),
    AnswerKind.ANOMALY: ("score", "threshold", "is_anomaly"),
    AnswerKind.TEXT: ("prompt", "text"),
    AnswerKind.SAMPLE: ("sample",),
    AnswerKind.ACTION: ("label", "confidence", "probabilities", "values"),
}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer. A field that the kind does not have is empty.

    `label` is a class or an action, `probabilities` are those of all; `values` are numbers by name,
    of a forecast in the order of time; `score` is how unusual a row is, and beyond the `threshold`
    it `is_anomaly`; `text` goes on from the `prompt`; `sample` is an example that was made.
    """

    kind: AnswerKind = AnswerKind.CLASS
    label: str = ""
    confidence: float = 0.0
    probabilities: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    threshold: float | None = None
    is_anomaly: bool | None = None
    prompt: str = ""
    text: str = ""
    sample: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """What its kind has."""
        found = {name: getattr(self, name) for name in FIELDS[self.kind]}
        return {name: value for name, value in found.items() if value not in ({}, None)}


def kind_of(model: Model) -> AnswerKind:
    """What this model answers. Raises QuestionRefused where nothing here can ask it."""
    if model.config is None:  # from elsewhere: its graph alone says what it answers
        return (
            AnswerKind.CLASS if "probabilities" in model.forward(1).outputs else AnswerKind.VALUES
        )
    architecture, target = model.config.architecture, model.config.data.target
    if architecture.kind == "gan" or architecture.options.get("variational"):
        return AnswerKind.SAMPLE
    if architecture.kind == "autoencoder":
        return AnswerKind.ANOMALY
    if target is Target.VALUES and model.signature.recipe.get("kind") == Form.SERIES:
        return AnswerKind.FORECAST
    if target not in BY_TARGET:
        raise QuestionRefused(f"a model that answers with {target.value} cannot be asked here")
    return BY_TARGET[target]


def answer(network: Asked, raw: Any) -> list[Prediction]:
    """The answers to a row or a list of rows. Raises QuestionRefused, RowsRefused, SandboxError."""
    match kind_of(network.model):
        case AnswerKind.SAMPLE:
            return [made for stated in examples_asked(raw) for made in samples(network, stated)]
        case AnswerKind.TEXT:
            return [written(network, text) for text in texts_asked(network.recipe, raw)]
    return answer_numbers(network, encoded(network, raw))


def answer_numbers(network: Asked, rows: NDArray[Any]) -> list[Prediction]:
    """The same to rows that are numbers already, [rows, *input], of what takes rows."""
    kind, outputs = kind_of(network.model), network.outputs(rows)
    match kind:
        case AnswerKind.ANOMALY:
            return scored(network, rows, outputs["reconstruction"])
        case AnswerKind.CLASS | AnswerKind.ACTION if "probabilities" in outputs:
            return chosen(network.model, outputs["probabilities"], kind)
        case AnswerKind.ACTION:
            return valued_actions(network.model, outputs["values"])
    return valued(network.model, next(iter(outputs.values())), kind)


# What is asked


def listed(raw: Any) -> list[Any]:
    """One question, or several in a list."""
    return bounded(raw) if isinstance(raw, list) else [raw]


def bounded(rows: list[Any]) -> list[Any]:
    if not 0 < len(rows) <= ROWS_MAX:
        raise QuestionRefused(f"input_data: {len(rows)} rows; send 1 to {ROWS_MAX} in one call.")
    return rows


def require_total(name: str, stated: Sequence[int], most: int, what: str) -> None:
    """Raises QuestionRefused where questions, each of which could be asked alone, ask together for
    more than one call is for.
    """
    if sum(stated) > most:
        raise QuestionRefused(
            f"input_data.{name}: {len(stated):,} questions ask for {sum(stated):,} {what} in all; "
            f"at most {most:,} in one call. Lower {name}, or ask fewer questions at once."
        )


def encoded(network: Asked, raw: Any) -> NDArray[Any]:
    """The rows as numbers [rows, *input]."""
    recipe = network.recipe
    if recipe is None:
        raise QuestionRefused("the model says nothing of how a row becomes its numbers")
    try:
        return encode_rows(recipe, looked_at(bounded(rows_in(raw, recipe)), recipe))
    except RowRefused as error:
        column = f".{error.column}" if error.column else ""
        raise QuestionRefused(f"input_data[{error.row}]{column}: {error.reason}.") from error


def looked_at(rows: list[Any], recipe: Recipe) -> list[Any]:
    """The rows, those that are files of pictures as their numbers, as rows to train on became them.

    Raises RowRefused.
    """
    if recipe.kind is not Form.IMAGES:
        return rows
    name = recipe.features[0].name
    told = [row.get(name) if isinstance(row, Mapping) else row for row in rows]
    files = {at: file_in(text, at, name) for at, text in enumerate(told) if isinstance(text, str)}
    if not files:
        return rows
    try:
        seen = pictures.opened(list(files.values()), (recipe.height, recipe.width, recipe.channels))
    except PictureRefused as error:
        raise RowRefused(list(files)[error.at], name, str(error).rstrip(".")) from error
    found = dict(zip(files, seen * np.float32(recipe.white / 255), strict=True))
    return [found.get(at, row) for at, row in enumerate(rows)]


def file_in(text: str, row: int, name: str) -> bytes:
    """The bytes that Base64 says, as an address (`data:image/png;base64,…`) or by itself."""
    try:
        found = base64.b64decode(text.partition(",")[2] or text, validate=True)
    except ValueError:
        found = b""
    if not found:
        reason = f"{shown(text)} is no picture in Base64; send one, or its numbers"
        raise RowRefused(row, name, reason)
    return found


def rows_in(raw: Any, recipe: Recipe) -> list[Any]:
    """A list of rows, whether it is one or a single row, nested or flat."""
    if not isinstance(raw, list) or not raw:
        return [raw]
    if isinstance(raw[0], str):
        return raw if recipe.kind in (Form.TEXT, Form.IMAGES) else [raw]
    if not isinstance(raw[0], list | Mapping):
        return [raw]
    if isinstance(raw[0], Mapping):
        # steps of a series are mappings, too; a row of it is one with lists
        is_step = recipe.kind is Form.SERIES and not any(
            isinstance(value, list) for value in raw[0].values()
        )
        return [raw] if is_step else raw
    sides = input_of(recipe)
    return [raw] if len(sides) > 1 and nested_sides(raw)[1:] == sides[1:] else raw


def nested_sides(raw: Any) -> tuple[int, ...]:
    """How long nested lists are, by the first of each."""
    sides: tuple[int, ...] = ()
    while isinstance(raw, list) and len(sides) <= len(Form):
        sides = (*sides, len(raw))
        raw = raw[0] if raw else None
    return sides


def settings_in(
    question: Any, fields: Mapping[str, Field], defaults: Mapping[str, Any], others: Sequence[str]
) -> dict[str, Any]:
    """The settings that a question states, and those that it leaves out."""
    if not isinstance(question, Mapping):
        *first, last = (*others, *fields)
        names = f"{', '.join(first)} and {last}" if first else last
        raise QuestionRefused(f"input_data: must be an object with {names}, not {shown(question)}.")
    reader = Reader()
    section = reader.section(question, "input_data", (), (*fields, *others))
    found = dict(defaults) | reader.fields(section, "input_data", fields)
    if reader.problems:
        raise QuestionRefused("; ".join(map(str, reader.problems)))
    return found


def examples_asked(raw: Any) -> list[dict[str, Any]]:
    """The settings of each question to what makes examples. Raises QuestionRefused."""
    defaults = {"count": 1, "seed": 0}
    found = [settings_in(question, SAMPLE_FIELDS, defaults, ()) for question in listed(raw)]
    require_total("count", [stated["count"] for stated in found], ROWS_MAX, "examples")
    return found


@dataclass(frozen=True, kw_only=True)
class TextAsked:
    """One question to what writes on; `settings` are those of `sampling.generate`."""

    recipe: Recipe
    prompt: str
    tokens: list[int]
    settings: dict[str, Any]


def texts_asked(recipe: Recipe | None, raw: Any) -> list[TextAsked]:
    """Each question to what writes on. Raises QuestionRefused."""
    if recipe is None or recipe.kind is not Form.TEXT:
        raise QuestionRefused("the model says nothing of how a text becomes its tokens")
    found = [text_asked(recipe, question) for question in listed(raw)]
    require_total("length", [each.settings["length"] for each in found], LENGTH_MAX, "tokens")
    return found


def text_asked(recipe: Recipe, question: Any) -> TextAsked:
    name = recipe.features[0].name
    asked = {name: question} if isinstance(question, str) else question
    settings = settings_in(asked, TEXT_FIELDS, TEXT_DEFAULTS, tuple(dict.fromkeys((name, "text"))))
    prompt = asked.get(name, asked.get("text", ""))
    if not isinstance(prompt, str) or not prompt:
        raise QuestionRefused(
            f"input_data.{name}: must be a text to go on from, not {shown(prompt)}."
        )
    tokens = tokenizers.numbers_of(prompt, recipe.tokenizer, recipe.vocabulary).tolist()
    if all(token <= tokenizers.UNKNOWN_TOKEN for token in tokens):
        raise QuestionRefused(
            f"input_data.{name}: must have {recipe.tokenizer} of which training saw any, not "
            f"{shown(prompt)}."
        )
    return TextAsked(recipe=recipe, prompt=prompt, tokens=tokens, settings=settings)


# What is answered


def chosen(model: Model, probabilities: NDArray[np.float32], kind: AnswerKind) -> list[Prediction]:
    names = model.signature.classes or tuple(map(str, range(probabilities.shape[1])))
    return [
        Prediction(
            kind=kind,
            label=names[best],
            confidence=row[best],
            probabilities=dict(zip(names, row, strict=True)),
        )
        for best, row in zip(probabilities.argmax(1), probabilities.tolist(), strict=True)
    ]


def valued_actions(model: Model, values: NDArray[np.float32]) -> list[Prediction]:
    """Of what each action is worth, the best."""
    names = model.signature.classes or tuple(map(str, range(values.shape[1])))
    return [
        Prediction(
            kind=AnswerKind.ACTION,
            label=names[best],
            values=dict(zip(names, row, strict=True)),
        )
        for best, row in zip(values.argmax(1), values.tolist(), strict=True)
    ]


def valued(model: Model, values: NDArray[np.float32], kind: AnswerKind) -> list[Prediction]:
    flat = values.reshape(len(values), -1)
    names = model.signature.classes or tuple(map(str, range(flat.shape[1])))
    return [
        Prediction(kind=kind, values=dict(zip(names, row.tolist(), strict=True))) for row in flat
    ]


def scored(
    network: Asked, rows: NDArray[np.float32], reconstructed: NDArray[np.float32]
) -> list[Prediction]:
    threshold = network.model.signature.recipe.get(anomalies.THRESHOLD)
    return [
        Prediction(
            kind=AnswerKind.ANOMALY,
            score=score,
            threshold=threshold,
            is_anomaly=None if threshold is None else score > threshold,
        )
        for score in anomalies.scores(network.model, rows, reconstructed).tolist()
    ]


def samples(network: Asked, stated: Mapping[str, Any]) -> list[Prediction]:
    """As many examples as asked for, of the noise that a seed draws."""
    size = generator.latent_size(network.sampler)
    noise = generator.draw_latent(stated["count"], size, seed=stated["seed"], module=build.module())
    made = network.sampled(noise).reshape(stated["count"], -1)
    return [Prediction(kind=AnswerKind.SAMPLE, sample=row) for row in made.tolist()]


def written(network: Asked, asked: TextAsked) -> Prediction:
    """A text that goes on from the one that was sent."""
    found = sampling.generate(
        network.predict,
        asked.tokens,
        steps=asked.recipe.steps,
        module=build.module(),
        **asked.settings,
    )
    text = tokenizers.decode(found, asked.recipe.tokenizer, asked.recipe.vocabulary)
    return Prediction(kind=AnswerKind.TEXT, prompt=asked.prompt, text=text)

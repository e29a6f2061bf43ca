"""One field of a question: what it is called, what stands in it, and what it says once it is read.

A category is chosen, a date, a number and a text are typed; a series is pasted, and so is a row of
many numbers, or of a picture, line by line.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from governance.services import Refusal
from kernels.fields import Field, Real, Whole, shown
from training.runner.answers import SAMPLE_FIELDS, TEXT_FIELDS, AnswerKind
from training.runner.recipes import Column, Form, Recipe, RowRefused
from training.runner.recipes import Kind as ColumnKind
from training.runner.recipes import columns as columns_of

SAMPLES_MAX = 100  # that a page shows at once
HISTORIES_MAX = 8  # columns of a series that have a field each
STEPS = {Whole: "1", Real: "any"}
SETTINGS: Mapping[str, Field] = {
    **TEXT_FIELDS,
    **SAMPLE_FIELDS,
    "count": Whole(1, SAMPLES_MAX),
}
HINTS = {
    "count": f"How many to make, 1 to {SAMPLES_MAX}.",
    "seed": "The same seed, the same answer.",
    "length": "How many tokens to write, at most 400.",
    "temperature": "0 always takes the likeliest; above 1 it gets wilder.",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`name` is that of the input, `key` what the question calls it: "" for the question as a
    whole. `column` says what its values are; `setting` does where it is none of the data.
    """

    name: str
    key: str
    label: str
    text: str = ""
    hint: str = ""
    error: str = ""
    rows: int = 0  # lines of a longer text
    column: Column | None = None
    setting: Field | None = None
    is_list: bool = False

    @property
    def id(self) -> str:
        return f"ask-{self.name}"

    @property
    def choices(self) -> list[tuple[str, str]]:
        if self.column is None or self.column.kind is not ColumnKind.CATEGORY or self.is_list:
            return []
        found = [(value, value) for value in self.column.values]
        return found if self.column.missing is None else [("", "not known"), *found]

    @property
    def type(self) -> str:
        """Of the input: a date that is typed with a time, too, is a text."""
        return "number" if self.setting is not None else "text"

    @property
    def step(self) -> str:
        return STEPS[type(self.setting)] if self.setting is not None else ""

    @property
    def keys(self) -> str:
        """Which keyboard a telephone should show."""
        is_number = self.column is not None and self.column.kind is ColumnKind.NUMBER
        return "decimal" if is_number and not self.is_list else "text"


def stated_fields(
    kind: AnswerKind, recipe: Recipe | None, question: Any, *, lines: int = 0
) -> list[Asked]:
    """The fields of a model, with this question in them. A picture is laid on so many
    `lines`.
    """
    if kind is AnswerKind.SAMPLE:
        return [setting_field(name, question[name]) for name in ("count", "seed")]
    if recipe is not None and recipe.kind is Form.TEXT:
        return text_fields(recipe, question)
    if recipe is not None and recipe.kind is Form.SERIES and len(recipe.inputs) <= HISTORIES_MAX:
        return history_fields(recipe, question)
    if isinstance(question, Mapping):
        known = {} if recipe is None else {column.name: column for column in recipe.inputs}
        return [
            column_field(f"c{at}", known.get(name) or Column(name, ColumnKind.NUMBER), value)
            for at, (name, value) in enumerate(question.items())
        ]
    hint = "Line by line, numbers apart by blanks or commas." if lines else "Numbers, or JSON."
    width = len(question) // lines if lines else 0
    return [
        Asked(name="values", key="", label="Row", text=laid(question, width), rows=10, hint=hint)
    ]


def setting_field(name: str, value: object) -> Asked:
    return Asked(
        name=name,
        key=name,
        label=name.capitalize(),
        text=str(value),
        setting=SETTINGS[name],
        hint=HINTS[name],
    )


def text_fields(recipe: Recipe, question: Mapping[str, Any]) -> list[Asked]:
    column = recipe.features[0]
    typed = Asked(
        name="text", key=column.name, label=column.name, text=question[column.name], rows=4
    )
    return [typed, *(setting_field(name, question[name]) for name in HINTS if name in question)]


def history_fields(recipe: Recipe, question: Sequence[float]) -> list[Asked]:
    wide = len(recipe.inputs)
    return [
        Asked(
            name=f"c{at}",
            key=column.name,
            label=column.name,
            text=" ".join(written(value) for value in question[at::wide]),
            rows=6,
            hint=f"At least {recipe.window} values, the newest last, apart by blanks or commas.",
            column=column,
            is_list=True,
        )
        for at, column in enumerate(recipe.inputs)
    ]


def column_field(name: str, column: Column, value: object) -> Asked:
    hint = "Such as 2024-01-31." if column.kind is ColumnKind.DATE else ""
    if column.missing is not None and column.kind is not ColumnKind.CATEGORY:
        hint = f"{hint} May be left empty.".strip()
    text = "" if value is None else written(value)
    return Asked(name=name, key=column.name, label=column.name, text=text, column=column, hint=hint)


def written(value: object) -> str:
    """A number without a fraction that says nothing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def laid(values: Sequence[Any], width: int) -> str:
    """Numbers as lines, so many on each, or with commas between them."""
    texts = [written(value) for value in values]
    if not width:
        return ", ".join(texts)
    longest = max(map(len, texts))
    lines = [texts[at : at + width] for at in range(0, len(texts), width)]
    return "\n".join(" ".join(text.rjust(longest) for text in line) for line in lines)


def reading_of(asked: Asked, text: str) -> tuple[Asked, Any]:
    """The field as it was sent, and what the API would be sent: nothing where it is wrong."""
    typed = replace(asked, text=text)
    try:
        return typed, value_of(asked, text)
    except (RowRefused, Refusal) as error:
        reason = error.reason if isinstance(error, RowRefused) else str(error)
        return replace(typed, error=reason), None


def value_of(asked: Asked, text: str) -> Any:
    """Raises RowRefused or Refusal."""
    if asked.setting is not None:
        return setting_of(asked.setting, text)
    if asked.is_list:
        return numbers_in(text)
    if asked.column is not None:
        return cell_of(asked.column, text)
    return text if asked.key else row_in(text)


def setting_of(setting: Field, text: str) -> float:
    try:
        value = int(text) if isinstance(setting, Whole) else float(text)
    except ValueError as error:
        raise Refusal(f"must be a number, not {shown(text)}") from error
    if wrong := setting.refusal(value):
        raise Refusal(wrong)
    return value


def cell_of(column: Column, text: str) -> Any:
    """A value as it was typed, once it is one of its column."""
    given = text.strip() or None
    if column.kind is ColumnKind.CATEGORY:
        columns_of.require_seen(column, [given])
    columns_of.encode(column, [given])
    return float(given) if given and column.kind is ColumnKind.NUMBER else given


def row_in(text: str) -> Any:
    """A row as JSON or as numbers."""
    if text.strip()[:1] not in ("[", "{", '"'):
        return numbers_in(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"is no JSON: {error}") from error


def numbers_in(text: str, name: str = "") -> list[float]:
    """Numbers apart by blanks, lines or commas. Raises Refusal."""
    where = f"{name}: " if name else ""
    found = []
    for at, word in enumerate(text.replace(",", " ").split()):
        try:
            found.append(float(word))
        except ValueError as error:
            raise Refusal(f"{where}value {at + 1}: {shown(word)} is not a number") from error
    if not found:
        raise Refusal(f"{where}must be numbers, not empty")
    return found

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
from training.runner.answers import LENGTH_MAX, SAMPLE_FIELDS, TEXT_FIELDS, AnswerKind
from training.runner.recipes import Column, Form, Recipe, RowRefused, read_asked
from training.runner.recipes import Kind as ColumnKind
from training.services.numerals import read_numeral, read_numerals

SAMPLES_MAX = 100  # that a page shows at once
VALUES_NAMED = 8  # of a category whose values are typed
NUMBERS = Column("", ColumnKind.NUMBER)  # of a row or a picture, all alike
STEPS = {Whole: "1", Real: "any"}
SETTINGS: Mapping[str, Field] = {
    **TEXT_FIELDS,
    **SAMPLE_FIELDS,
    "count": Whole(1, SAMPLES_MAX),
}
HINTS = {
    "count": f"How many to make, 1 to {SAMPLES_MAX}.",
    "seed": "The same seed, the same answer.",
    "length": f"How many tokens to write, at most {LENGTH_MAX}.",
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
    kind: AnswerKind, recipe: Recipe, question: Any, *, lines: int = 0
) -> list[Asked]:
    """The fields of a model, with this question in them. A picture is laid on so many
    `lines`.
    """
    if kind is AnswerKind.SAMPLE:
        return [setting_field(name, question[name]) for name in ("count", "seed")]
    if recipe.kind is Form.TEXT:
        return text_fields(recipe, question)
    if isinstance(question, Mapping):
        known = {column.name: column for column in recipe.inputs}
        return [
            column_field(f"c{at}", known.get(name) or replace(NUMBERS, name=name), said, recipe)
            for at, (name, said) in enumerate(question.items())
        ]
    hint = "Line by line, numbers apart by blanks." if lines else "Numbers, or JSON."
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


def column_field(name: str, column: Column, said: Any, recipe: Recipe) -> Asked:
    """Of a table a value, of a series the list of its past."""
    asked = Asked(name=name, key=column.name, label=column.name, column=column)
    if isinstance(said, list):
        apart, rows = (" ", 3) if column.kind is ColumnKind.NUMBER else ("\n", 6)
        text, hint = apart.join(map(written, said)), history_hint(column, recipe.window)
        return replace(asked, is_list=True, rows=rows, text=text, hint=hint)
    hint = "Such as 2024-01-31." if column.kind is ColumnKind.DATE else ""
    if column.missing is not None and column.kind is not ColumnKind.CATEGORY:
        hint = f"{hint} May be left empty.".strip()
    return replace(asked, text="" if said is None else written(said), hint=hint)


def history_hint(column: Column, window: int) -> str:
    is_number = column.kind is ColumnKind.NUMBER
    hint = f"At least {window} values, the newest last, "
    hint += "apart by blanks or semicolons." if is_number else "each on a line of its own."
    if column.values:
        more = ", …" if len(column.values) > VALUES_NAMED else ""
        hint += f" Known are {', '.join(column.values[:VALUES_NAMED])}{more}."
    return hint if column.missing is None else f"{hint} NA stands for one that is not known."


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
    except Refusal as refusal:
        return replace(typed, error=str(refusal)), None


def value_of(asked: Asked, text: str) -> Any:
    """Raises Refusal."""
    if asked.setting is not None:
        return setting_of(asked.setting, text)
    if asked.column is not None:
        return values_in(asked.column, text) if asked.is_list else value_in(asked.column, text)
    if asked.key:
        return text.replace("\r\n", "\n")  # a form sends lines so; nobody learnt from texts so
    return row_in(text)


def setting_of(setting: Field, text: str) -> float:
    try:
        value = int(text) if isinstance(setting, Whole) else float(text)
    except ValueError as error:
        raise Refusal(f"must be a number, not {shown(text)}") from error
    if wrong := setting.refusal(value):
        raise Refusal(wrong)
    return value


def value_in(column: Column, text: str) -> float | str | None:
    """Raises Refusal."""
    typed = read_numeral(text) if column.kind is ColumnKind.NUMBER else text
    try:
        return read_asked(column, [typed])[0]
    except RowRefused as error:
        raise Refusal(error.reason) from error


def values_in(column: Column, text: str) -> list[float | str | None]:
    """Words and dates, which may hold what numbers stand apart by, have a line each. Raises
    Refusal.
    """
    is_number = column.kind is ColumnKind.NUMBER
    if is_number:
        words = read_numerals(text, has_lines=column is not NUMBERS)
    else:
        words = list(filter(str.strip, text.splitlines()))
    if not words:
        raise Refusal(f"must be {'numbers' if is_number else 'values'}, not empty")
    try:
        return read_asked(column, words)
    except RowRefused as error:
        raise Refusal(f"value {error.row + 1}: {error.reason}") from error


def row_in(text: str) -> Any:
    """A row as JSON or as numbers. Raises Refusal."""
    if text.strip()[:1] not in ("[", "{", '"'):
        return values_in(NUMBERS, text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"is no JSON: {error}") from error

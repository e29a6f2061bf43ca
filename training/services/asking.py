"""What a page asks for, so that a model answers: a field for each thing that it takes, filled with
an example; what people type there as the question that the API takes; and the answer.

The page of a model and that of a deployment ask in the same way; only what answers differs.
"""

import base64
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, Any

from governance.models import User
from governance.services import Refusal
from training.models import Dataset, Model
from training.runner.answers import AnswerKind, Prediction
from training.runner.recipes import Form
from training.runner.rows import Part
from training.services.datasets import PreviewRow, highest_value, preview_rows, row_values
from training.services.fields import NUMBERS, Asked, reading_of, stated_fields, values_in
from training.services.predictions import (
    predict,
    prediction_kind,
    prediction_recipe,
    require_one_row,
)
from training.services.questions import example_question
from training.services.samples import coloured

EXAMPLES = 24
PAD_SIDE_MAX = 32  # of a drawing: its cells are squares of the page
DRAWN = (AnswerKind.CLASS, AnswerKind.ANOMALY)  # what a picture may be asked for
BLAME = re.compile(r"input_data(?:\[\d+\])?(?:\.(?P<name>.+?))?: (?P<reason>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The fields, and, once they were sent, the answer, or what is wrong with them."""

    kind: AnswerKind
    dataset: Dataset
    fields: Sequence[Asked]
    takes_pictures: bool = False  # as files
    may_draw: bool = False
    may_pick: bool = False  # rows are pictures that one may see
    is_typed: bool = False  # the fields hold what was sent, and not an example beside a drawing
    highest: float = 1.0
    predictions: Sequence[Prediction] = ()
    made: Sequence[tuple[Prediction, str]] = ()
    lines: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    milliseconds: float = 0.0
    fault: str = ""

    @property
    def prediction(self) -> Prediction | None:
        return self.predictions[0] if self.predictions else None

    @property
    def mistakes(self) -> list[Asked]:
        return [one for one in self.fields if one.error]

    @property
    def foretold(self) -> str:
        """What a forecast is of: a column, or, of several, their values."""
        found = {column_of(name) for one in self.predictions for name in one.values}
        return found.pop() if len(found) == 1 else "value"

    @cached_property
    def examples(self) -> list[tuple[PreviewRow, str]]:
        """Rows to pick, each with its colours if it has some. Read once a page draws them, since
        all rows are unpacked for it; an answer alone draws none.
        """
        if not self.may_pick:
            return []
        rows = preview_rows(dataset=self.dataset, count=EXAMPLES, part=Part.TEST)
        return [(row, coloured(dataset=self.dataset, values=row.values)) for row in rows]


def blank_sheet(*, model: Model, viewer: User | None, example: Any = None) -> Sheet:
    """The fields of a question, with an example in them, which is the given one where it has the
    fields' shape. Raises FileUnreadable, InvalidRows.
    """
    kind, dataset = prediction_kind(model=model), model.job.dataset
    recipe = prediction_recipe(model=model)
    height, width = dataset.image_shape or (1, 0)
    question = fitted(example_question(model=model, viewer=viewer), example)
    sheet = Sheet(
        kind=kind,
        dataset=dataset,
        fields=stated_fields(kind, recipe, question, lines=height if width else 0),
        takes_pictures=recipe.kind is Form.IMAGES and kind is not AnswerKind.SAMPLE,
        highest=highest_value(dataset) if width else 1.0,
    )
    if not width or kind not in DRAWN or not dataset.is_visible_to(viewer):
        return sheet
    return replace(
        sheet,
        may_pick=True,
        may_draw=height == width <= PAD_SIDE_MAX and dataset.columns == height * width,
    )


def fitted(usual: Any, given: Any) -> Any:
    """What is given in the shape of the usual question; the usual one where it has another."""
    if isinstance(usual, Mapping):
        if isinstance(given, str):
            given = {next(iter(usual)): given}
        is_alike = isinstance(given, Mapping) and set(given) <= set(usual)
        return {**usual, **given} if is_alike else usual
    is_row = isinstance(given, list) and len(given) == len(usual)
    return given if is_row and all(isinstance(one, int | float) for one in given) else usual


def ask_model(
    *,
    model: Model,
    viewer: User,
    posted: Mapping[str, str],
    picture: IO[bytes] | None = None,
    answer: Callable[[object], Sequence[Prediction]] | None = None,
) -> Sheet:
    """The answer to the file of a picture, or to what was posted; or the same fields, with what is
    wrong beside each. `answer` stands for another way to ask the model, such as a paid one.
    """
    sheet = blank_sheet(model=model, viewer=viewer)
    started_at = time.perf_counter()
    try:
        sheet, question = read_question(sheet, viewer, posted, picture)
        if sheet.mistakes:
            return sheet
        require_one_row(model=model, rows=question)
        predictions = predict(model=model, rows=question) if answer is None else answer(question)
    except Refusal as refusal:
        return blamed(sheet, str(refusal))
    return replace(
        sheet,
        predictions=predictions,
        made=[(one, coloured(dataset=sheet.dataset, values=one.sample)) for one in predictions],
        lines=forecast_lines(question, predictions[0]),
        milliseconds=(time.perf_counter() - started_at) * 1000,
    )


def read_picture(file: IO[bytes]) -> str:
    """Raises Refusal."""
    content = file.read()
    if not content:
        raise Refusal("picture: the file is empty; choose another.")
    return base64.b64encode(content).decode()


def read_pixels(drawn: str) -> list[float | str | None]:
    """Raises Refusal."""
    try:
        return values_in(NUMBERS, drawn.replace(",", " "))
    except Refusal as refusal:
        raise Refusal(f"pixels: {refusal}") from refusal


def read_question(
    sheet: Sheet, viewer: User, posted: Mapping[str, str], picture: IO[bytes] | None
) -> tuple[Sheet, object]:
    """The fields as they were sent, and what is asked: a picture, a drawing, a row by its number,
    or what was typed. Raises Refusal where nothing is.
    """
    if picture is not None:
        return sheet, read_picture(picture)
    if drawn := posted.get("pixels", "").strip():
        return sheet, read_pixels(drawn)
    if row := posted.get("row", "").strip():
        if not row.isdecimal() or len(row) > 12:
            raise Refusal(f"row: {row[:40]!r} is no number of a row.")
        return sheet, row_values(dataset=sheet.dataset, number=int(row), viewer=viewer)
    if not any(one.name in posted for one in sheet.fields):
        raise Refusal("Draw something, pick a row, or type the values first.")
    fields: list[Asked] = []
    values: dict[str, Any] = {}
    for one in sheet.fields:
        typed, value = reading_of(one, posted.get(one.name, ""))
        fields.append(typed)
        values[one.key] = value
    question = values.get("", values)  # of one field that is the question as a whole, that
    return replace(sheet, fields=fields, is_typed=True), question


def blamed(sheet: Sheet, refusal: str) -> Sheet:
    """A refusal as the answer, and, of what was typed, beside the field that it names or beside the
    only one.
    """
    found = BLAME.fullmatch(refusal)
    if found is None:
        return replace(sheet, fault=refusal)
    name, reason = found["name"] or "", found["reason"].removesuffix(".")
    fields = [
        replace(one, error=reason)
        if sheet.is_typed and (one.key == name or not name and len(sheet.fields) == 1)
        else one
        for one in sheet.fields
    ]
    return replace(sheet, fields=fields, fault=f"{name}: {reason}" if name else reason)


def forecast_lines(question: object, prediction: Prediction) -> dict[str, list[tuple[int, float]]]:
    """What was foretold of each column, behind what was seen of it; step 0 is now."""
    ahead: dict[str, list[float]] = {}
    for name, value in prediction.values.items():
        ahead.setdefault(column_of(name), []).append(value)
    lines: dict[str, list[tuple[int, float]]] = {}
    for name, values in ahead.items():
        said = f"{name}, " if len(ahead) > 1 else ""
        if seen := history_of(question, name):
            first = 1 - len(seen)
            lines[f"{said}seen"] = [(first + step, value) for step, value in enumerate(seen)]
        lines[f"{said}foretold"] = list(enumerate(values, start=1))
    return lines


def column_of(name: str) -> str:
    """Of a value that is so many steps ahead: of "co2 t+1", co2."""
    return name.rpartition(" t+")[0]


def history_of(question: object, name: str) -> list[float]:
    """What a question says of the past of a column by its name, where it says numbers."""
    past = question.get(name) if isinstance(question, Mapping) else None
    if not isinstance(past, list) or not all(isinstance(one, int | float) for one in past):
        return []
    return [float(one) for one in past]

"""Predictions: rows in, classes and probabilities out, computed in the sandbox."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from governance.services import Refusal
from kernels.fields import shown
from kernels.limits import SandboxError
from kernels.predictor import RowsRefused
from kernels.tensors import ModelRefused
from training.models import Model
from training.runner import networks
from training.runner.blobs import BlobFault

log = structlog.get_logger()

# What a row costs where no author asks for more: the sandbox's time.
COMPUTE_PRICE_MICROCREDITS = 100
ROWS_MAX = 1_000
LARGEST = float(np.finfo(np.float32).max)


class InvalidRows(Refusal):
    """The input is not what the model takes; says what it takes."""

    status = 422


class ModelUnreadable(Refusal):
    """The model's file is missing or damaged on our side; nothing is charged."""

    status = 503


@dataclass(frozen=True, kw_only=True)
class Prediction:
    label: str
    confidence: float
    probabilities: dict[str, float]


def ready(sha256: str) -> networks.ReadyModel:
    try:
        return networks.READY.take(sha256)
    except (BlobFault, ModelRefused) as error:
        log.exception("model_unreadable", sha256=sha256)
        raise ModelUnreadable(
            "The file of this model cannot be read at present. Nothing was charged; it was logged "
            "for those who run the site."
        ) from error
    except SandboxError as error:
        raise Refusal(f"The model could not be loaded: {error}") from error


def parse_rows(raw: Any, *, columns: int) -> NDArray[np.float32]:
    """A row or a list of rows of finite numbers as float32 [rows, columns]."""
    rows = raw if isinstance(raw, list) and raw and isinstance(raw[0], list) else [raw]
    if len(rows) > ROWS_MAX:
        raise InvalidRows(f"input_data: {len(rows)} rows; send at most {ROWS_MAX} in one call.")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != columns:
            size = len(row) if isinstance(row, list) else type(row).__name__
            raise InvalidRows(
                f"input_data[{number}]: must be {columns} numbers, one per feature; got {size}."
            )
        for column, value in enumerate(row):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidRows(
                    f"input_data[{number}][{column}]: {shown(value)} is not a number."
                )
            # Compared as it is: a whole number may be too long for any float.
            if not -LARGEST <= value <= LARGEST:
                raise InvalidRows(
                    f"input_data[{number}][{column}]: must be finite and fit a 32-bit float."
                )
    return np.array(rows, dtype=np.float32)


def predict(*, model: Model, rows: object) -> list[Prediction]:
    """Probabilities of each class for each row."""
    return predict_with_file(sha256=model.sha256, rows=rows)


def predict_with_file(*, sha256: str, rows: object) -> list[Prediction]:
    """The same with a stored model file that has no row, such as what one node of many trained."""
    network = ready(sha256)
    signature = network.predictor.model.signature
    values = parse_rows(rows, columns=len(signature.features))
    try:
        answers = network.predict(values)
    except SandboxError as error:
        networks.READY.drop(sha256)
        raise Refusal(f"The model could not answer: {error}") from error
    except RowsRefused as error:
        raise InvalidRows(f"input_data: {error}") from error
    return [
        Prediction(
            label=signature.classes[int(answer.argmax())],
            confidence=float(answer.max()),
            probabilities=dict(zip(signature.classes, answer.tolist(), strict=True)),
        )
        for answer in answers
    ]

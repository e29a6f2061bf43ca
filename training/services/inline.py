"""Rows that come in a request, spelled as JSON. They are written as a file and go its way."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from django.db import transaction

from governance import services as governance
from governance.models import User
from training.models import Dataset, Work
from training.runner.recipes.columns import NAME_LENGTH_MAX
from training.services.uploads import InvalidUpload, keep

INLINE_ROWS_MAX = 100_000
Scalar = str | int | float | bool | None


@transaction.atomic
def add_inline_dataset(
    *,
    owner: User,
    features: object,
    labels: object = None,
    name: str = "",
    description: str = "",
    licence: str = "",
) -> Dataset:
    """Store rows that came in a request and have a worker read them.

    The same rows of the same person are the same dataset, so a call may be repeated; also where
    they could not be read, since they never will.
    """
    kind, content = written(features, labels)
    governance.take_turn(f"datasets/{owner.pk}")
    same = Dataset.objects.of(owner).filter(
        upload_sha256=hashlib.sha256(content).hexdigest(), upload_name=inline_name(kind)
    )
    found = (
        same.filter(status__in=[*Work.OPEN, Work.Status.DONE, Work.Status.FAILED]).newest().first()
    )
    if found is not None and name in ("", found.name):
        return found
    return keep(
        owner=owner,
        pieces=iter([content]),
        format=kind,
        upload_name=inline_name(kind),
        name=name.strip() or f"Inline rows ({len(listed('features', features)):,})",
        description=description,
        licence=licence,
    )


def inline_name(kind: Dataset.Format) -> str:
    return f"inline.{kind.value}"


def written(features: object, labels: object) -> tuple[Dataset.Format, bytes]:
    """The rows as a file: JSON lines, or where a row is an array of more sides, as NPZ."""
    rows = listed("features", features)
    if not rows:
        raise InvalidUpload("features: is empty; send a row for each example.")
    targets = None if labels is None else listed("labels", labels)
    if targets is not None and len(targets) != len(rows):
        raise InvalidUpload(
            f"labels: has {len(targets):,} entries and features has {len(rows):,} rows; "
            "send one for each row."
        )
    if all(isinstance(row, list) and any(isinstance(cell, list) for cell in row) for row in rows):
        return Dataset.Format.NPZ, as_arrays(rows, targets)
    lines = [named_row(row, number) for number, row in enumerate(rows)]
    for number, target in enumerate(targets or []):
        lines[number] |= named_target(target, number, lines[number])
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    try:
        return Dataset.Format.JSONL, text.encode() + b"\n"
    except UnicodeEncodeError as error:
        raise InvalidUpload("features: hold half of a surrogate pair; send whole text.") from error


def listed(field: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidUpload(f"{field}: must be a list with an entry for each row.")
    if len(value) > INLINE_ROWS_MAX:
        raise InvalidUpload(
            f"{field}: has {len(value):,} rows; at most {INLINE_ROWS_MAX:,} in a request, "
            "bring more as a file."
        )
    return value


def named_row(row: object, number: int) -> dict[str, Scalar]:
    """A row as {column: value}: given so, or as a list of values, or as one value."""
    if isinstance(row, Mapping):
        cells = dict(row)
    elif isinstance(row, list):
        cells = {f"x{place}": cell for place, cell in enumerate(row, 1)}
    else:
        cells = {"text" if isinstance(row, str) else "x1": row}
    for name, cell in cells.items():
        check_scalar(f"features[{number}].{name}", cell)
    if not cells:
        raise InvalidUpload(f"features[{number}]: is empty; a row needs a value.")
    return cells


def named_target(target: object, number: int, row: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The label of a row, or its several numbers."""
    given = target if isinstance(target, list) else [target]
    one = len(given) == 1
    names = ["target" if one else f"target{place}" for place in range(1, len(given) + 1)]
    for name, cell in zip(names, given, strict=True):
        if name in row:
            raise InvalidUpload(f"features[{number}].{name}: the labels are called so; rename it.")
        check_scalar(f"labels[{number}]", cell)
    return dict(zip(names, given, strict=True))


def check_scalar(path: str, cell: object) -> None:
    if cell is not None and not isinstance(cell, str | int | float | bool):
        raise InvalidUpload(f"{path}: must be a text, a number, true, false or null.")


def as_arrays(rows: Sequence[Any], targets: Sequence[Any] | None) -> bytes:
    """Rows of pictures or sequences, [rows, *sides], as an NPZ without pickles."""
    check_labels(targets or [])
    try:
        arrays: dict[str, Any] = {"features": np.array(rows, np.float64)}
        if targets is not None:
            arrays["targets"] = np.array(targets)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidUpload(
            "features: arrays must hold numbers, and every row must have the same sides."
        ) from error
    if any(array.dtype.hasobject for array in arrays.values()):
        raise InvalidUpload("labels: must all be texts, or all numbers.")
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def check_labels(targets: Sequence[Any]) -> None:
    """One text or number for each row, or several numbers.

    An array keeps every text as wide as its widest: one that is long would take gigabytes.
    """
    for number, target in enumerate(targets):
        path = f"labels[{number}]"
        several = isinstance(target, list) and len(target) != 1
        for cell in target if isinstance(target, list) else [target]:
            if not isinstance(cell, int | float if several else str | int | float):
                kinds = "numbers" if several else "a text or a number"
                raise InvalidUpload(f"{path}: must be {kinds}; an array holds nothing else.")
            if isinstance(cell, str) and len(cell) > NAME_LENGTH_MAX:
                raise InvalidUpload(
                    f"{path}: has {len(cell):,} characters; a class has at most {NAME_LENGTH_MAX}."
                )

"""Tables of numbers whose last column is a class: CSV, read with suspicion.

A table that was saved in an odd way still reads as *something*, and a network trains on anything.
So what is probably not meant is refused, by the line and the column where it stands.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels.data import DataError, TrainingData
from kernels.modelfile import Signature

COLUMNS_LIMIT = 2_000
CLASSES_LIMIT = 1_000
ROWS_LEAST = 5  # of which one is kept for validation
Line = tuple[int, list[str]]  # its number in the file, and its cells


@dataclass(frozen=True)
class Table:
    """`values` (n, features); `labels` (n,) number the `classes`, which are in order of their
    names.
    """

    path: Path
    features: tuple[str, ...]
    classes: tuple[str, ...]
    values: NDArray[np.float32]
    labels: NDArray[np.int32]

    def training_data(self) -> TrainingData:
        """Every fifth row is kept for validation."""
        held = np.arange(len(self.labels)) % 5 == 4
        values, labels = self.values, self.labels
        return TrainingData(values[~held], labels[~held], values[held], labels[held])

    def fitted(self, signature: Signature) -> "Table":
        """The same rows with columns and classes as a model counts them, told by their names.

        Raises DataError where the names are others; a model without names takes them as they are.
        """
        features = signature.features or self.features
        classes = signature.classes or self.classes
        missing = [name for name in features if name not in self.features]
        foreign = [name for name in self.features if name not in features]
        if missing or foreign:
            raise DataError(
                f"{self.path}: its columns are not the model's; missing: {listed(missing)}; "
                f"not known to it: {listed(foreign)}"
            )
        strange = [name for name in self.classes if name not in classes]
        if strange:
            raise DataError(
                f"{self.path}: the model does not know the classes {listed(strange)}; "
                f"it knows {listed(classes)}"
            )
        columns = [self.features.index(name) for name in features]
        numbers = np.array([classes.index(name) for name in self.classes], np.int32)
        return replace(
            self,
            features=features,
            classes=classes,
            values=np.ascontiguousarray(self.values[:, columns]),
            labels=numbers[self.labels],
        )


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(repr(name[:40]) for name in names[:5]) or "none") + more


def read_csv(path: Path) -> Table:
    """Raises DataError."""
    lines = list(cells(path))
    while lines and not "".join(lines[-1][1]).strip() and len(lines[-1][1]) <= 1:
        lines.pop()  # blank lines at the end
    if not lines or not 2 <= len(lines[0][1]) <= COLUMNS_LIMIT or len(lines) <= ROWS_LEAST:
        raise DataError(
            f"{path}: must have a heading, 2 to {COLUMNS_LIMIT} columns parted by commas, and at "
            f"least {ROWS_LEAST} rows"
        )
    (_, names), *rows = lines
    check_heading(path, names)
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(
                f"{path}, line {line}: has {len(row)} columns, the heading {len(names)}"
            )
        if not row[-1].strip():
            raise DataError(f"{path}, line {line}: has no class in its last column, {names[-1]!r}")
    values = numbers(path, names, rows)
    classes = tuple(sorted({row[-1] for _, row in rows}))
    check_classes(path, names[-1], classes, len(rows))
    number_of = {name: number for number, name in enumerate(classes)}
    labels = np.array([number_of[row[-1]] for _, row in rows], np.int32)
    return Table(path, tuple(names[:-1]), classes, values, labels)


def cells(path: Path) -> Iterator[Line]:
    """The lines of a file as their cells. Raises DataError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is no text in UTF-8 from byte {error.start:,} on; "
            "save the table as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(f"{path}: is no text; it must be a table in CSV")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}, line {reader.line_num}: is no CSV; a quote is not closed, or a cell "
                f"holds more than {csv.field_size_limit():,} letters"
            ) from error
        yield reader.line_num, row


def check_heading(path: Path, names: Sequence[str]) -> None:
    if all(is_number(name) for name in names):
        raise DataError(
            f"{path}, line 1: holds numbers alone; write the names of the columns there"
        )
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise DataError(f"{path}, line 1: {times} columns are named {name!r}; each needs its own")


def check_classes(path: Path, column: str, classes: Sequence[str], rows: int) -> None:
    where = f"{path}: the last column, {column!r},"
    if len(classes) == 1:
        raise DataError(f"{where} holds one class alone, {classes[0]!r}; there must be 2 at least")
    all_differ = len(classes) == rows and all(map(is_number, classes))
    if len(classes) > CLASSES_LIMIT or all_differ:
        raise DataError(
            f"{where} holds {len(classes):,} different values, and at most {CLASSES_LIMIT:,} "
            "classes can be; it looks like numbers to foretell, which are trained by Trainer with "
            "the target 'values'"
        )


def numbers(path: Path, names: Sequence[str], rows: Sequence[Line]) -> NDArray[np.float32]:
    found = np.empty((len(rows), len(names) - 1), np.float32)
    for at, (line, row) in enumerate(rows):
        wrong = next((i for i, cell in enumerate(row[:-1]) if not is_number(cell)), None)
        if wrong is None:
            with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
                found[at] = [float(cell) for cell in row[:-1]]
            infinite = np.flatnonzero(~np.isfinite(found[at]))
            wrong = int(infinite[0]) if infinite.size else None
        if wrong is not None:
            raise DataError(
                f"{path}, line {line}: {row[wrong][:40]!r} in the column {names[wrong]!r} is no "
                "number, or none that fits 32 bits"
            )
    return found


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell

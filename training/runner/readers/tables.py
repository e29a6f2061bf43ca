"""Tables: CSV, TSV, JSON lines and Parquet.

A text is looked through line by line first (the standard library's csv and json), so that what is
wrong is refused with its line before a value is kept. Cells of a text stay texts, numbers and dates
written in one way (`notations`): what they mean is for `schemas`, or a person, to say.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kernels.fields import shown
from training.runner.findings import Finding, named
from training.runner.readers.cells import CELL_LENGTH_MAX, check_cell, check_heading, fault_of
from training.runner.readers.content import Bounds, FileRefused, Table
from training.runner.readers.encodings import decode, decode_table
from training.runner.readers.notations import with_notations
from training.runner.recipes.columns import LARGEST, MISSING_WORDS

DELIMITERS = ",;\t|"
NUMBERS = (pl.Float32, pl.Float64, pl.Decimal)
DATES = (pl.Date, pl.Datetime)


def read_separated(path: Path, bounds: Bounds, *, delimiter: str = "") -> Table:
    """A table of separated values with a heading. Raises FileRefused."""
    text, said = decode_table(path.read_bytes())
    text = text.rstrip("\n")
    delimiter = delimiter or delimiter_of(text)
    names, rows = check_lines(text, delimiter, bounds)
    try:
        frame = pl.read_csv(
            text.encode(),
            separator=delimiter,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError as error:
        raise FileRefused(f"is not read as a table: {str(error)[:200]}") from error
    if frame.height != rows or frame.width != len(names):
        raise FileRefused(
            f"has {rows:,} rows to one reader and {frame.height:,} to another, so a quotation "
            "mark is not where it should be. Write the file anew."
        )
    frame.columns = numbered(names)
    frame = frame.with_columns(without_missing(pl.all().str.strip_chars()))
    table = with_notations(frame, delimiter)
    return replace(table, findings=(*said, *said_of_names(names), *table.findings))


def numbered(names: Sequence[str]) -> list[str]:
    """The same, those that stand there again with a number behind: a, a 2, a 3."""
    taken, counts = set(names), Counter[str]()
    found = []
    for name in names:
        counts[name] += 1
        new = name
        while counts[name] > 1 and new in taken:
            new = f"{name} {counts[name]}"
            counts[name] += new in taken
        taken.add(new)
        found.append(new)
    return found


def said_of_names(names: Sequence[str]) -> Iterator[Finding]:
    new = [name for name in numbered(names) if name not in names]
    if new:
        message = f"{named(new)}: numbered, since the heading has the name more than once."
        yield Finding("warn", "headings", message, len(new))


def without_missing(texts: pl.Expr) -> pl.Expr:
    """Null where a text says that there is no value."""
    return pl.when(~texts.is_in(sorted(MISSING_WORDS))).then(texts)


def delimiter_of(text: str) -> str:
    """What stands most often in the first line, outside of quotation marks."""
    plain = "".join(text.split("\n", 1)[0].split('"')[::2])
    return max(DELIMITERS, key=plain.count)


def check_lines(text: str, delimiter: str, bounds: Bounds) -> tuple[list[str], int]:
    """The names of the columns and how many rows there are, once every line is sound."""
    csv.field_size_limit(CELL_LENGTH_MAX + 1)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows, names, line = 0, [], 0
    try:
        names = [name.strip() for name in next(reader)]
        check_heading(numbered(names), bounds, "line 1")
        line = reader.line_num
        for row in reader:
            line, begun = reader.line_num, line + 1
            if len(row) != len(names):
                check_ragged(row, names, begun)
            rows += 1
            if rows > bounds.rows:
                raise FileRefused(f"has more than {bounds.rows:,} rows. Bring fewer.")
            for name, cell in zip(names, row, strict=True):
                if (fault := fault_of(cell)) is not None:
                    raise FileRefused(f"line {begun:,}, column {name!r}: {fault}.")
    except csv.Error as error:
        reason = str(error).replace("unexpected end of data", "a quotation mark is never closed")
        raise FileRefused(f"line {line + 1:,}: {reason}.") from error
    if not rows:
        raise FileRefused("has a heading and no rows; bring one with rows.")
    bounds.check_size(rows, len(names))
    return names, rows


def check_ragged(row: list[str], names: list[str], line: int) -> None:
    if not row:
        raise FileRefused(f"line {line:,} is empty; remove it.")
    raise FileRefused(
        f"line {line:,} has {len(row)} cell{'s' * (len(row) != 1)} and the heading has "
        f"{len(names)}; each line needs as many. Put quotation marks round a cell that holds the "
        "separator."
    )


# JSON lines


def read_json_lines(path: Path, bounds: Bounds) -> Table:
    """One JSON object a line, {column: value}. Raises FileRefused."""
    columns: dict[str, list[Any]] = {}
    rows = 0
    for number, line in enumerate(decode(path.read_bytes()).split("\n"), 1):
        if not line.strip():
            continue
        if rows == bounds.rows:
            raise FileRefused(f"has more than {bounds.rows:,} rows. Bring fewer.")
        add_row(columns, object_of(line, number), number, rows, bounds)
        rows += 1
    if not columns:
        raise FileRefused("has rows without a value; give each its columns.")
    bounds.check_size(rows, len(columns))
    frame = pl.DataFrame({name: series_of(values) for name, values in columns.items()})
    return with_notations(frame)


def add_row(
    columns: dict[str, list[Any]], given: Mapping[str, Any], line: int, rows: int, bounds: Bounds
) -> None:
    """Append a row to columns that have `rows` values each; one that it has not is missing."""
    for name, value in given.items():
        if name not in columns:
            columns[name] = [None] * rows
            check_heading(list(columns), bounds, f"line {line:,}")
            bounds.check_size(rows, len(columns))
        columns[name].append(cell_of(value, f"line {line:,}, {name!r}"))
    for values in columns.values():
        if len(values) == rows:
            values.append(None)


def object_of(line: str, number: int) -> Mapping[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FileRefused(f"line {number:,}: a key stands there twice.")
        return found

    def not_finite(name: str) -> float:
        raise FileRefused(f"line {number:,}: {name} is not a finite number; write null.")

    try:
        found = json.loads(line, object_pairs_hook=unique, parse_constant=not_finite)
    except FileRefused:
        raise
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "it cannot be read")
        raise FileRefused(f"line {number:,} is no JSON: {reason}.") from error
    if not isinstance(found, dict):
        raise FileRefused(f'line {number:,}: must be an object such as {{"width": 1}}.')
    return found


def cell_of(value: object, where: str) -> str | float | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        if not -LARGEST <= value <= LARGEST:
            raise FileRefused(f"{where}: {shown(value)} does not fit a 32-bit float.")
        return float(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FileRefused(f"{where}: must be a text, a number, true, false or null; take it apart.")
    if "\0" in value or any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise FileRefused(f"{where}: holds a character that is none.")
    check_cell(value, where)
    return None if value.strip() in MISSING_WORDS else value.strip()


def series_of(values: list[Any]) -> pl.Series:
    """Numbers where all are; else texts, a number as it is written."""
    if all(value is None or isinstance(value, float) for value in values):
        return pl.Series(values, dtype=pl.Float64)
    texts = [number_text(value) if isinstance(value, float) else value for value in values]
    return pl.Series(texts, dtype=pl.String)


def number_text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


# Parquet


def read_parquet(path: Path, bounds: Bounds) -> Table:
    """A Parquet file of plain columns. Raises FileRefused."""
    try:
        schema = pl.read_parquet_schema(path)
        check_heading(list(schema), bounds, "the schema")
        for name, kind in schema.items():
            check_type(name, kind)
        # What it promises, before any of it is unpacked.
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
        bounds.check_size(rows, len(schema))
        frame = pl.read_parquet(path, n_rows=bounds.rows)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise FileRefused(f"is not read as Parquet: {str(error)[:200]}") from error
    if not frame.height:
        raise FileRefused("has no rows; bring one with rows.")
    return with_notations(pl.DataFrame([plain(frame[name]) for name in frame.columns]))


def check_type(name: str, kind: pl.DataType) -> None:
    is_text = kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
    if not (is_text or kind.is_integer() or kind in (*NUMBERS, *DATES)):
        raise FileRefused(
            f"column {name!r} is {kind}, and only numbers, texts, dates, true and false are read. "
            "Take it apart or leave it out."
        )


def plain(column: pl.Series) -> pl.Series:
    """Numbers as float64, dates as ISO texts, all else as texts that were looked through."""
    kind = column.dtype
    if kind.is_integer() or kind in NUMBERS:
        found = column.cast(pl.Float64)
        beyond = np.flatnonzero(~(np.abs(found.fill_null(0).to_numpy()) <= LARGEST))
        if beyond.size:
            row = int(beyond[0])
            raise FileRefused(
                f"row {row + 1:,}, column {column.name!r}: {found[row]} is not finite or does not "
                "fit a 32-bit float; leave it empty where it is missing."
            )
        return found
    if kind in DATES:
        return column.dt.to_string("iso")
    texts = column.cast(pl.String).str.strip_chars()
    for row, text in enumerate(texts):
        if text is not None:
            where = f"row {row + 1:,}, column {column.name!r}"
            if "\0" in text:
                raise FileRefused(f"{where}: holds a NUL character; remove it.")
            check_cell(text, where)
    return texts.to_frame().select(without_missing(pl.all())).to_series()

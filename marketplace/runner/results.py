"""The file of a batch's answers: what each row is answered, as CSV, JSON lines or Parquet.

A worker keeps answers as lines of JSON, chunk by chunk, in the order of the rows; the file is made
of these lines alone. So it has the same bytes whoever makes it, and whatever died on the way.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from marketplace.models import Batch
from training.services import Prediction

Row = dict[str, Any]
Beat = Callable[[int], object]


def lines_of(predictions: Sequence[Prediction], *, first_row: int) -> bytes:
    """A line for each row, which it names by its number from 1."""
    rows = (told(prediction, first_row + at + 1) for at, prediction in enumerate(predictions))
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def told(prediction: Prediction, number: int) -> Row:
    """A class or a single number is the prediction; what else the model says stands beside it."""
    answer = prediction.to_json()
    row: Row = {"row": number}
    values = answer.get("values", {})
    if "label" in answer:
        row["prediction"] = answer.pop("label")
    elif len(values) == 1:
        row["prediction"] = next(iter(answer.pop("values").values()))
    return row | answer


def write(format: str, chunks: Iterable[bytes], path: Path, *, beat: Beat) -> None:
    WRITERS[Batch.Format(format)](beating(chunks, beat), path)


def beating(chunks: Iterable[bytes], beat: Beat) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        beat(number)
        yield chunk


def write_lines(chunks: Iterable[bytes], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)


def write_csv(chunks: Iterable[bytes], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = None
        for row in flat_rows(chunks):
            if writer is None:
                writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)


def write_parquet(chunks: Iterable[bytes], path: Path) -> None:
    frames = [pl.DataFrame(list(flat_rows([chunk])), infer_schema_length=None) for chunk in chunks]
    pl.concat(frames).write_parquet(path)


def flat_rows(chunks: Iterable[bytes]) -> Iterator[Row]:
    for chunk in chunks:
        for line in chunk.splitlines():
            yield flat(json.loads(line))


def flat(row: Row) -> Row:
    """With a column for each probability and each value."""
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            before = "probability " if name == "probabilities" else ""
            found |= {f"{before}{key}": inner for key, inner in value.items()}
        else:
            found[name] = value
    return found


WRITERS = {
    Batch.Format.CSV: write_csv,
    Batch.Format.JSONL: write_lines,
    Batch.Format.PARQUET: write_parquet,
}

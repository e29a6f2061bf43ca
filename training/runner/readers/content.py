"""What a file held, once read: a table, arrays, pictures or a text; and what a file may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.runner.findings import Finding


class FileRefused(ValueError):
    """A file that is not read; the text says where in it, why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The most that is read of a file."""

    file_bytes: int = 100_000_000
    rows: int = 500_000
    columns: int = 2_000
    values: int = 50_000_000  # rows × columns, pixels or tokens

    def check_size(self, rows: int, width: int, what: str = "columns") -> None:
        """FileRefused where there are more rows, or more in a row, than are read."""
        if rows > self.rows:
            raise FileRefused(f"has {rows:,} rows; at most {self.rows:,} are read. Bring fewer.")
        if width > self.columns and what == "columns":
            raise FileRefused(f"has {width:,} columns; at most {self.columns:,}. Leave some out.")
        if rows * width > self.values:
            raise FileRefused(
                f"has {rows:,} rows of {width:,} {what}, {rows * width:,} values; at most "
                f"{self.values:,}. Bring fewer rows or smaller ones."
            )


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of texts, numbers or dates; null where a value is missing. `findings` say what a
    reader made of what can be read in several ways; `almost` are the columns of texts that are
    numbers but for a few, those numbers written with a point.
    """

    frame: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    almost: Mapping[str, pl.Series] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Arrays:
    """features [rows, *sides] of finite numbers; targets [rows] or [rows, values], or none."""

    features: NDArray[Any]
    targets: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class Pictures:
    """pixels uint8 [rows, height, width, channels]; the class and the file of each."""

    pixels: NDArray[np.uint8]
    labels: list[str]
    files: list[str]


@dataclass(frozen=True, eq=False)
class Text:
    text: str


Content = Table | Arrays | Pictures | Text

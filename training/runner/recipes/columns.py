"""A column of a person's data: what its values are, what it is for, and its values as numbers.

    number     one feature, as it is
    category   a feature for each value that was seen in training, 1 where it is that value, else 0:
               all are 0 for a value that was not seen, in rows to measure; to predict, such a
               value is refused (`require_seen`)
    date       one feature: days since 1970-01-01 in UTC, with fractions; a date without a zone is
               taken as UTC. In float32 a day of our time is exact to about three minutes. The year
               first, or the day first where points divide (31.01.2024); where slashes do, only
               what can be one date alone is read
    text       tokens (`tokenizers`); image: pixels (`recipes`). Neither is one column of a table

Plain NumPy, so that the web process may turn a row into numbers as the worker did.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.fields import Choice, Flag, Reader, join, shown, suggestion

NAME_LENGTH_MAX = 80  # as a database row and a model file keep it
VALUES_MAX = 1_000
LARGEST = float(np.finfo(np.float32).max)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})((?:[ T]\d{2}:\d{2}(?::\d{2})?)?)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_A_DAY = 86_400
# How people write that a value is not there, in whatever table.
MISSING_WORDS = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "?"})


class Kind(StrEnum):
    """What the values of a column are."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    DATE = "date"
    IMAGE = "image"

    @property
    def named(self) -> str:
        return f"an {self}" if self is Kind.IMAGE else f"a {self}"


class Role(StrEnum):
    """What a column is for."""

    FEATURE = "feature"
    TARGET = "target"
    TIME = "time"
    GROUP = "group"
    IGNORED = "ignored"


class RowRefused(ValueError):
    """A value that is not what its column says. `row` counts from 0; `column` is a name, or ""
    where the row as a whole is wrong.
    """

    def __init__(self, row: int, column: str, reason: str) -> None:
        where = f"row {row}, column {column!r}" if column else f"row {row}"
        super().__init__(f"{where}: {reason}")
        self.row, self.column, self.reason = row, column, reason


@dataclass(frozen=True)
class Column:
    """`values` are those of a category, in the order of their features or classes; empty until a
    worker has seen them. `missing` stands in for a value that is not there; where it is None, each
    row must have one.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    sensitive: bool = False
    values: tuple[str, ...] = ()
    missing: float | str | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        if self.kind is Kind.CATEGORY:
            return tuple(f"{self.name}={value}" for value in self.values)
        return (self.name,)

    @property
    def in_figures(self) -> "Column":
        """The same, with a fill that was written as a text, as pages send it, as its number."""
        fill = self.missing
        is_figure = self.kind in (Kind.NUMBER, Kind.DATE) and isinstance(fill, str)
        if not is_figure or not DECIMAL.fullmatch(str(fill).strip()):
            return self
        return replace(self, missing=read_number(fill))

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "role": self.role.value,
            "sensitive": self.sensitive,
            "values": list(self.values),
            "missing": self.missing,
        }


def read_column(raw: object, path: str, reader: Reader) -> Column | None:
    """The column that somebody described, or None with what is wrong told to the reader."""
    before = len(reader.problems)
    given = reader.section(raw, path, ["name", "kind"], ["role", "sensitive", "values", "missing"])
    found = reader.fields(
        given, path, {"kind": Choice(list(Kind)), "role": Choice(list(Role)), "sensitive": Flag()}
    )
    if "name" in given and (wrong := name_refusal(given["name"])):
        reader.refuse(join(path, "name"), wrong)
    values = read_values(given.get("values", []), join(path, "values"), reader)
    if len(reader.problems) > before:
        return None
    column = Column(
        name=given["name"],
        kind=Kind(found["kind"]),
        role=Role(found.get("role", Role.FEATURE)),
        sensitive=found.get("sensitive", False),
        values=values,
        missing=given.get("missing"),
    )
    if values and column.kind is not Kind.CATEGORY:
        reader.refuse(join(path, "values"), f"a {column.kind} has none; remove them")
    if wrong := missing_refusal(column):
        reader.refuse(join(path, "missing"), wrong)
    return column


def read_values(raw: object, path: str, reader: Reader) -> tuple[str, ...]:
    if not isinstance(raw, list) or len(raw) > VALUES_MAX:
        reader.refuse(path, f"must be a list of at most {VALUES_MAX:,} names, not {shown(raw)}")
        return ()
    for at, value in enumerate(raw):
        if wrong := name_refusal(value):
            reader.refuse(f"{path}[{at}]", wrong)
            return ()
    if len(set(raw)) != len(raw):
        reader.refuse(path, "a value stands there twice")
    return tuple(raw)


def name_refusal(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return f"must be a text, not {shown(value)}"
    if len(value) > NAME_LENGTH_MAX:
        return f"must have at most {NAME_LENGTH_MAX} characters, not {len(value):,}"
    if value != value.strip() or not value.isprintable():
        return f"must be printable, with no space around it, not {shown(value)}"
    return None


def missing_refusal(column: Column) -> str | None:
    """Why this value cannot stand in for others of the column."""
    value = column.missing
    if value is None:
        return None
    if column.kind in (Kind.CATEGORY, Kind.TEXT):
        if not isinstance(value, str):
            return f"must be a text or null, not {shown(value)}"
        if column.values and value not in column.values:
            return f"{shown(value)} is none of the values of the column"
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return f"must be a number or null, not {shown(value)}"
    try:
        read_number(value) if column.kind is Kind.NUMBER else read_days(value)
    except ValueError as error:
        return str(error)
    return None


def encode(column: Column, values: Sequence[Any]) -> NDArray[np.float32]:
    """The values as features, float32 [values, features]. Raises RowRefused."""
    if column.kind is Kind.CATEGORY:
        codes = encode_codes(column, values)
        found = np.zeros((len(values), len(column.values)), np.float32)
        seen = np.flatnonzero(codes >= 0)
        found[seen, codes[seen]] = 1
        return found
    if column.kind not in (Kind.NUMBER, Kind.DATE):
        raise RowRefused(0, column.name, f"{column.kind} values are no feature of a table")
    return encode_numbers(column, values).astype(np.float32)[:, None]


def encode_numbers(column: Column, values: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers, or dates as days, float64 [values]. Raises RowRefused."""
    kinds = set(map(type, values))
    fill = column.missing if isinstance(column.missing, float) else None
    if kinds == {float} or (kinds <= {float, type(None)} and fill is not None):
        found = np.array([fill if value is None else value for value in values], np.float64)
        if (np.abs(found) <= LARGEST).all():  # which nothing that is not finite is
            return found
    read = read_number if column.kind is Kind.NUMBER else read_days
    found = np.empty(len(values), np.float64)
    for row, value in enumerate(values):
        try:
            found[row] = read(present(column, value, row))
        except RowRefused:
            raise
        except ValueError as error:
            raise RowRefused(row, column.name, str(error)) from error
    return found


def encode_codes(column: Column, values: Sequence[Any]) -> NDArray[np.int64]:
    """The number of each value among the column's, int64 [values]; -1 where it was never seen."""
    numbers = {value: number for number, value in enumerate(column.values)}
    found = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        found[row] = numbers.get(category_text(present(column, value, row), column.name, row), -1)
    return found


def require_seen(column: Column, values: Sequence[Any]) -> None:
    """Raises RowRefused where a category is none that training saw: mostly a slip of the pen, and
    the network would answer as surely as ever about what it cannot tell from others.
    """
    unseen = np.flatnonzero(encode_codes(column, values) < 0)
    if unseen.size:
        row = int(unseen[0])
        text = category_text(present(column, values[row], row))
        reason = f"{shown(text)} was never seen in training{suggestion(text, column.values)}"
        raise RowRefused(row, column.name, reason)


def present(column: Column, value: Any, row: int) -> Any:
    """The value, or what stands in for it."""
    if not is_missing(value):
        return value
    if column.missing is None:
        raise RowRefused(row, column.name, "is missing, and no value stands in for it")
    return column.missing


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in MISSING_WORDS)


def category_text(value: object, name: str = "", row: int = 0) -> str:
    """A category as it is written, the same for 3, 3.0 and "3"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating) and np.isfinite(value):
        return str(int(value)) if value == int(value) else repr(float(value))
    if isinstance(value, date):
        return value.isoformat()
    raise RowRefused(row, name, f"must be a text or a number, not {shown(value)}")


def read_number(value: object) -> float:
    """A finite number that fits float32, also written as a text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number | str):
        raise ValueError(f"must be a number, not {shown(value)}")
    if isinstance(value, str) and not DECIMAL.fullmatch(value.strip()):
        raise ValueError(f"must be a number, not {shown(value)}")
    # Compared as it is: a whole number may be too long for any float.
    number = float(value) if isinstance(value, str) else value
    if not -LARGEST <= number <= LARGEST:
        raise ValueError(f"must be finite and fit a 32-bit float, not {shown(value)}")
    return float(number)


def read_days(value: object) -> float:
    """Days since 1970-01-01, from an ISO 8601 date or as they are. Raises ValueError."""
    if isinstance(value, str) and not DECIMAL.fullmatch(value.strip()):
        value = read_date(value)
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])  # noqa: DTZ001  # the zone is set below
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - EPOCH).total_seconds() / SECONDS_A_DAY
    return read_number(value)


def read_date(text: str) -> datetime:
    """ISO 8601, with / for - if need be, and a month or quarter of an hour left out; or the year
    last, if it is clear which part is the day. Raises ValueError.
    """
    written = text.strip()
    if last := YEAR_LAST.fullmatch(written):
        written = year_first(*last.groups(), text=text)
    written = written.replace("/", "-")
    if re.fullmatch(r"\d{4}-\d{2}", written):
        written += "-01"
    try:
        return datetime.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f"must be a date such as 2024-01-31, not {shown(text)}") from error


def year_first(one: str, mark: str, two: str, year: str, time: str, *, text: str) -> str:
    """The day comes first where points divide; else where it must, or the other way round."""
    day, month = (two, one) if mark != "." and int(two) > 12 else (one, two)
    if mark != "." and max(int(one), int(two)) <= 12 and int(one) != int(two):
        raise ValueError(
            f"may have the day or the month first; write the year first, as in 2024-01-31, not "
            f"{shown(text)}"
        )
    return f"{year}-{int(month):02}-{int(day):02}{time}"

"""What people type into the search box, read: words, and conditions on figures.

    digit "hand written" -letters category:vision,nlp price:0 latency<5 accuracy>0.95 author:alice

A word must occur, one after a minus must not, quotes keep words together. `name:value` asks for a
value, or one of several between commas; `name<number` and its like compare; `name:low..high` is
from low to high; a minus before a condition turns it round. Numbers may have a unit: 100k, 2MB,
0.5ms. The name of a figure (accuracy, mase, …) compares within the models that are judged by it.

Any text is a query: what looks like a condition and is none is searched as words, and a note says
why. `write` puts a query in its shortest spelling, which reads as the same query again.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, cast

from marketplace.models import Plan
from training.models import Category, Licence, Tier, Validation

Kind = Literal["choice", "name", "number", "date"]
Operator = Literal[":", "<", "<=", ">", ">="]
TERMS_MAX = 40  # more words and conditions than anybody means
TERM_LENGTH_MAX = 80


@dataclass(frozen=True)
class Field:
    """What can be asked of listings. `scale` is how many stored units one written unit is."""

    name: str
    kind: Kind
    column: str
    values: tuple[str, ...] = ()
    unit: str = ""
    scale: float = 1


FIELDS = {
    field.name: field
    for field in (
        Field("category", "choice", "category", tuple(Category.values)),
        Field("plan", "choice", "plan", tuple(Plan.values)),
        Field("price", "number", "price_microcredits", unit="credits", scale=1_000_000),
        Field("call", "number", "call_price_microcredits", unit="credits", scale=1_000_000),
        Field("architecture", "name", "architecture"),
        Field("tier", "choice", "tier", tuple(Tier.values)),
        Field("size", "number", "size_bytes", unit="bytes"),
        Field("params", "number", "parameters"),
        Field("licence", "choice", "licence", tuple(Licence.values)),
        Field("commercial", "choice", "commercial", ("yes", "no")),
        Field("latency", "number", "latency_p50_ms", unit="ms"),
        Field("metric", "name", "metric"),
        Field("dataset", "name", "dataset_slug"),
        Field("certificate", "choice", "certificate", tuple(Validation.Certificate.values)),
        Field("published", "date", "published_at"),
        Field("author", "name", "author"),
        Field("rating", "number", "rating"),
        Field("downloads", "number", "downloads"),
    )
}
ALIASES = {
    "license": "licence",
    "parameters": "params",
    "by": "author",
    "data": "dataset",
    "p50": "latency",
    "date": "published",
}
COUNTS = {"": "1", "%": "0.01", "k": "1e3", "m": "1e6", "g": "1e9"}
UNITS = {
    "size": {**COUNTS, "b": "1", "kb": "1e3", "mb": "1e6", "gb": "1e9"},
    "latency": {"": "1", "ms": "1", "s": "1e3", "us": "1e-3", "µs": "1e-3"},
}

TERM = re.compile(
    r'(?P<minus>-?)(?:(?P<name>[a-zA-Z]\w*)(?P<operator><=|>=|<|>|:))?(?P<value>"[^"]*"|\S+)'
)
PLAIN = re.compile(r"[^\W_][\w.+#']*(?:-[\w.+#']+)*")  # needs no quotes
NUMBER = re.compile(
    r"(?P<digits>\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?P<unit>[a-zµ%]*)", re.IGNORECASE
)
METRIC = re.compile(r"[a-z][a-z0-9_]{1,39}")
DATE = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?", re.ASCII)
AGE = re.compile(r"(?P<days>\d{1,4})d", re.ASCII)


@dataclass(frozen=True)
class Term:
    """A word, or several that stand together."""

    text: str
    is_excluded: bool = False


@dataclass(frozen=True)
class Condition:
    """One of `values` for choices and names; a bound, or two of them, for numbers and dates.

    Numbers are as people write them: credits, milliseconds, bytes. Dates are days since year 1,
    from `low` to before `high`; `30d` among the values are the last 30 days.
    """

    name: str
    operator: Operator
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_excluded: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether it compares a measured figure by its name."""
        return self.name not in FIELDS


@dataclass(frozen=True)
class Query:
    terms: tuple[Term, ...] = ()
    conditions: tuple[Condition, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """Its words alone, as PostgreSQL's websearch_to_tsquery reads them."""
        return " ".join(map(write_term, self.terms))

    @property
    def names(self) -> tuple[str, ...]:
        """What it has conditions on, each once."""
        return tuple(dict.fromkeys(condition.name for condition in self.conditions))

    def on(self, name: str) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if condition.name == name)

    def without(self, *names: str) -> "Query":
        kept = tuple(condition for condition in self.conditions if condition.name not in names)
        return replace(self, conditions=kept)

    def having(self, *conditions: Condition) -> "Query":
        kept = tuple(condition for condition in conditions if condition not in self.conditions)
        return replace(self, conditions=self.conditions + kept)

    def dropping(self, part: Term | Condition) -> "Query":
        return replace(
            self,
            terms=tuple(term for term in self.terms if term != part),
            conditions=tuple(condition for condition in self.conditions if condition != part),
        )


class Unreadable(ValueError):
    """Something that looks like a condition; the text says what is wrong and the way out."""


def parse(text: str) -> Query:
    """Any text is a query."""
    terms: list[Term] = []
    conditions: list[Condition] = []
    notes: list[str] = []
    found = list(TERM.finditer("".join(c if c.isprintable() else " " for c in text)))
    if len(found) > TERMS_MAX:
        notes.append(f"Only the first {TERMS_MAX} of {len(found)} words were looked for.")
    for match in found[:TERMS_MAX]:
        try:
            condition = condition_of(match, notes)
        except Unreadable as fault:
            notes.append(str(fault))
            condition = None
            if match["name"].lower() in {*FIELDS, *ALIASES}:
                continue  # what was meant is clear, and is no word
        if condition is not None:
            conditions.append(condition)
        elif term := term_of(match):
            terms.append(term)
    return Query(tuple(dict.fromkeys(terms)), tuple(dict.fromkeys(conditions)), tuple(notes))


def term_of(match: re.Match[str]) -> Term | None:
    said = match[0][len(match["minus"]) :].replace('"', " ")
    text = " ".join(said.split())[:TERM_LENGTH_MAX].strip()
    if not any(letter.isalnum() for letter in text):
        return None
    return Term(text, is_excluded=bool(match["minus"]))


def condition_of(match: re.Match[str], notes: list[str]) -> Condition | None:
    """Nothing where these are words."""
    if match["name"] is None:
        return None
    name, operator = match["name"].lower(), cast("Operator", match["operator"])
    name = ALIASES.get(name, name)
    value = match["value"].strip('"').strip()
    field = FIELDS.get(name)
    if field is None:
        if operator == ":" and ".." not in value:
            raise Unreadable(
                f"“{name}:” is no filter here, so its words were looked for. There are: "
                f"{', '.join(FIELDS)}, and the name of a figure with < or >."
            )
        if not METRIC.fullmatch(name):
            return None
        field = Field(name, "number", "goodness")
    read = {"choice": choices, "name": names, "number": numbers, "date": dates}[field.kind]
    condition = read(field, operator, value, notes)
    return replace(condition, is_excluded=bool(match["minus"]))


def choices(field: Field, operator: Operator, value: str, notes: list[str]) -> Condition:
    require_colon(field, operator, value)
    known = {choice.lower(): choice for choice in field.values}
    asked = [part.strip().lower() for part in value.split(",") if part.strip()]
    unknown = [part for part in asked if part not in known]
    fault = f"{field.name}: “{', '.join(unknown)[:60]}” is none of {', '.join(field.values)}."
    if not asked or len(unknown) == len(asked):
        raise Unreadable(fault)
    if unknown:
        notes.append(fault)
    return Condition(field.name, ":", unique(known[part] for part in asked if part in known))


def names(field: Field, operator: Operator, value: str, notes: list[str]) -> Condition:
    require_colon(field, operator, value)
    asked = [" ".join(part.replace('"', " ").split()) for part in value.split(",")]
    found = unique(part[:TERM_LENGTH_MAX].strip() for part in asked if part)
    if not found:
        raise Unreadable(f"{field.name}: say which, as in {field.name}:name.")
    return Condition(field.name, ":", found)


def unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def require_colon(field: Field, operator: Operator, value: str) -> None:
    if operator != ":":
        raise Unreadable(f"{field.name}: is no number; write {field.name}:{value[:40]}.")


def numbers(field: Field, operator: Operator, value: str, notes: list[str]) -> Condition:
    if operator == ":" and ".." in value:
        low, high = (part.strip() for part in value.split("..", 1))
        if not low and not high:
            raise Unreadable(f"{field.name}: a range has an end, as in {field.name}:1..5.")
        return Condition(
            field.name,
            ":",
            low=number(field, low) if low else None,
            high=number(field, high) if high else None,
        )
    if field.name == "price" and value.lower() == "free":
        value = "0"
    found = number(field, value)
    return Condition(
        field.name,
        operator,
        low=found if operator in (":", ">", ">=") else None,
        high=found if operator in (":", "<", "<=") else None,
    )


def number(field: Field, text: str) -> float:
    match = NUMBER.fullmatch(text)
    units = UNITS.get(field.name, COUNTS)
    if match is None or match["unit"].lower() not in units:
        known = ", ".join(unit for unit in units if unit)
        raise Unreadable(
            f"{field.name}: “{text[:40]}” is no number; write {field.name}<5, with one of the units"
            f" {known} where you like."
        )
    return float(Decimal(match["digits"]) * Decimal(units[match["unit"].lower()]))


def dates(field: Field, operator: Operator, value: str, notes: list[str]) -> Condition:
    if operator == ":" and (age := AGE.fullmatch(value)):
        return Condition(field.name, ":", (f"{int(age['days'])}d",))
    if operator == ":" and ".." in value:
        first, last = value.split("..", 1)
        low = period(field, first.strip())[0] if first.strip() else None
        high = period(field, last.strip())[1] if last.strip() else None
        if low is None and high is None:
            raise Unreadable(f"{field.name}: a range has an end, as in {field.name}:2026..2027.")
    else:
        start, end = period(field, value)
        low = {":": start, ">": end, ">=": start}.get(operator)
        high = {":": end, "<": start, "<=": end}.get(operator)
    return Condition(field.name, ":", low=low, high=high)


def period(field: Field, text: str) -> tuple[int, int]:
    """The first day of a day, month or year, and the day after its last."""
    match = DATE.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(match[part] or 0) for part in ("year", "month", "day"))
        start = datetime.date(year, month or 1, day or 1)
        if day:
            end = start + datetime.timedelta(days=1)
        else:
            end = datetime.date(year + (month in (0, 12)), month % 12 + 1 if month else 1, 1)
    except (ValueError, OverflowError):
        raise Unreadable(
            f"{field.name}: “{text[:40]}” is no date; write {field.name}>2026-01-31, or "
            f"{field.name}:30d for the last 30 days."
        ) from None
    return start.toordinal(), end.toordinal()


# Writing


def write(query: Query) -> str:
    return " ".join([*map(write_term, query.terms), *map(write_condition, query.conditions)])


def write_term(term: Term) -> str:
    return "-" * term.is_excluded + quoted(term.text)


def quoted(text: str) -> str:
    return text if PLAIN.fullmatch(text) else f'"{text}"'


def write_condition(condition: Condition) -> str:
    minus, name = "-" * condition.is_excluded, condition.name
    if condition.values:
        listed = ",".join(condition.values)
        is_plain = all(map(PLAIN.fullmatch, condition.values))
        return f"{minus}{name}:{listed}" if is_plain else f'{minus}{name}:"{listed}"'
    is_date = name in FIELDS and FIELDS[name].kind == "date"
    low, high = condition.low, condition.high
    if condition.operator != ":":
        bound = low if low is not None else high
        return f"{minus}{name}{condition.operator}{spelled(bound)}"
    if is_date:
        ends = day(low), day(None if high is None else high - 1)
    elif low == high:
        return f"{minus}{name}:{spelled(low)}"
    else:
        ends = spelled(low), spelled(high)
    return f"{minus}{name}:{ends[0]}..{ends[1]}"


def spelled(value: float | None) -> str:
    """The shortest decimal that is read as this number again."""
    if value is None:
        return ""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def day(ordinal: float | None) -> str:
    return "" if ordinal is None else datetime.date.fromordinal(int(ordinal)).isoformat()

"""How the cells of a table write numbers and dates, told column by column.

A comma or a point divides decimals in one place and thousands in another. 52,84 and 1.234,56 can be
read in one way only, and so settle it for their column; 1.771 and 1,250 cannot: where nothing else
in their column tells, the other columns and what divides the cells do. Likewise 28/03/2024 tells
that 03/04/2024 has the day first. What is told is written as all else reads it, with a point and
as an ISO date; what is not told stays the text that it was. Whatever was done is said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from training.runner.findings import Finding, named
from training.runner.readers.content import Table

GAPS = "\u00a0\u202f'’"  # divide thousands wherever they stand
CURRENCIES = r"(?:[€$£¥]|EUR|USD|GBP|CHF)"
UNIT = rf"[0-9.,]\s*({CURRENCIES}|%)$"
UNIT_BEFORE = rf"^({CURRENCIES})\s*[0-9+\-.,]"
DASHES = ("-", "--", "–", "—")
EXAMPLES_TRIED = 1_000
ALMOST = 0.8  # of the values are numbers: then the others are told as what is in the way
TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
SLASHES = rf"^([0-9]{{1,2}})[/-]([0-9]{{1,2}})[/-]([0-9]{{4}})({TIME})$"
POINTS = rf"[0-9]{{1,2}}\.[0-9]{{1,2}}\.[0-9]{{4}}{TIME}"
DATES = rf"^(?:[0-9]{{4}}[/-][0-9]{{2}}(?:[/-][0-9]{{2}}(?:[ T].+)?)?|{POINTS})$"


def numbers(mark: str, other: str) -> str:
    """What a number looks like where `mark` divides decimals; a lead of zero has no thousands."""
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:(?:[{other}][0-9]{{3}})+|(?:[{GAPS}][0-9]{{3}})+))"
    return rf"^[+-]?(?:{whole}(?:[{mark}][0-9]*)?|[{mark}][0-9]+)(?:[eE][+-]?[0-9]+)?$"


OTHER = {",": ".", ".": ","}
NUMBERS = {mark: numbers(mark, other) for mark, other in OTHER.items()}
# What is said, by what was done: how grave it is, and in which words.
SAID = {
    "decimal_comma": ("ok", "a comma stands before the decimals: {example}."),
    "thousands": ("ok", "thousands are divided: {example}."),
    "doubtful_mark": (
        "warn",
        "{example}, as the rest of the file has it or as is usual in such a file. If that is "
        "wrong, write decimals with a point, thousands without a mark, and bring the file anew.",
    ),
    "unclear_mark": (
        "warn",
        "{example} may have decimals or thousands, so these are no numbers here. Write decimals "
        "with a point, thousands without a mark, and bring the file anew.",
    ),
    "unit": ("ok", "the sign beside each number is left out: {example}."),
    "dash": ("ok", "a dash is taken for a missing value: {example}."),
    "not_numbers": (
        "warn",
        "nearly all values are numbers, but not {example}. Mend what is none or leave its cell "
        "empty, and bring the file anew.",
    ),
    "date_order": ("ok", "{example}, as dates of the column tell that can be read in one way."),
    "unclear_date": (
        "warn",
        "{example} may have the day or the month first, so these are no dates here. Write the year "
        "first, as in 2024-01-31, and bring the file anew.",
    ),
}


@dataclass
class Remarks:
    """What was done, column by column: an example of each, by what it is and the column's name."""

    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, what: str, name: str, example: str) -> None:
        self.found.setdefault(what, {})[name] = example

    def findings(self) -> Iterator[Finding]:
        for what, examples in self.found.items():
            level, words = SAID[what]
            said = words.format(example=next(iter(examples.values())))
            yield Finding(level, what, f"{named(examples)}: {said}", len(examples))


@dataclass(frozen=True, eq=False)
class Look:
    """A column of texts: without dashes and signs (`bare`), and which of them are numbers, by the
    mark that would divide their decimals. `marks` are those that stand in these.
    """

    name: str
    texts: pl.Series
    bare: pl.Series
    unit: str
    fits: Mapping[str, pl.Series]
    marks: str

    @property
    def there(self) -> int:
        return len(self.bare) - self.bare.null_count()

    @property
    def told(self) -> str:
        """The mark of decimals where the values tell it, else ""."""
        comma, point = (int(self.fits[mark].sum()) for mark in ",.")
        return "" if comma == point else "," if comma > point else "."

    @property
    def evidence(self) -> str:
        """The same, where it holds for all values."""
        told = self.told
        return told if told and self.fits[told].all() else ""


def with_notations(frame: pl.DataFrame, delimiter: str = "") -> Table:
    """The table with its numbers and dates as all else reads them. `delimiter` is what divides its
    cells, "" where they are told apart otherwise.
    """
    texts = [column for column in frame if column.dtype == pl.String]
    looks = [look for look in map(look_at, texts) if look.there]
    evidence = "".join({look.evidence for look in looks})
    remarks = Remarks()
    columns, almost = {}, {}
    for look in looks:
        mostly = ALMOST * look.there <= (look.fits[","] | look.fits["."]).sum()
        if not mostly:
            columns[look.name] = as_dates(look, remarks)
        elif mark := decimal_mark(look, delimiter, evidence, remarks):
            found = as_numbers(look, mark)
            if look.fits[mark].all():
                columns[look.name] = found
                say_numbers(look, mark, remarks)
            elif look.fits[mark].sum() >= ALMOST * look.there:
                almost[look.name] = found
                remarks.add("not_numbers", look.name, culprits(look, mark))
    frame = frame.with_columns(*columns.values())
    return Table(frame, tuple(remarks.findings()), almost)


def look_at(texts: pl.Series) -> Look:
    bare = texts.set(texts.is_in(DASHES), None)
    unit = unit_of(bare)
    if unit:
        bare = bare.str.strip_prefix(unit).str.strip_suffix(unit).str.strip_chars()
    fits = {mark: bare.str.contains(pattern) for mark, pattern in NUMBERS.items()}
    inside = bare.filter((fits[","] | fits["."]).fill_null(value=False))
    marks = "".join(mark for mark in OTHER if inside.str.contains(mark, literal=True).any())
    return Look(texts.name, texts, bare, unit, fits, marks)


def unit_of(bare: pl.Series) -> str:
    """The sign of a currency, or %, that stands beside every value; "" where there is none."""
    for pattern in (UNIT, UNIT_BEFORE):
        found = bare.drop_nulls().str.extract(pattern)
        if len(found) and not found.null_count() and found.n_unique() == 1:
            return str(found[0])
    return ""


def decimal_mark(look: Look, delimiter: str, evidence: str, remarks: Remarks) -> str:
    """What divides the decimals of the column; "" where nothing tells, which is said."""
    if look.told or not look.marks:
        return look.told or "."
    usual = {";": ",", ",": ".", "": "."}.get(delimiter, "")
    mark = "" if len(look.marks) > 1 else likely_mark(look.marks, delimiter, evidence)
    sure = mark == look.marks and (evidence == mark or (not evidence and mark == usual))
    if not sure:
        remarks.add("doubtful_mark" if mark else "unclear_mark", look.name, example(look, mark))
    return mark


def likely_mark(mark: str, delimiter: str, evidence: str) -> str:
    """What divides decimals where all that stands before three digits is this mark."""
    if mark == ".":  # as programs write numbers, and people where points divide decimals
        return "," if evidence == "," and delimiter in (";", "\t") else "."
    if delimiter == ";":  # which divides cells since a comma divides decimals
        return ","
    return evidence if len(evidence) == 1 else ""


def as_numbers(look: Look, mark: str) -> pl.Series:
    """With a point before the decimals and nothing else between digits; what is no number as it
    was.
    """
    plain = look.bare.str.replace_all(f"[{OTHER[mark]}{GAPS}]", "")
    plain = plain.str.replace(mark, ".", literal=True)
    return plain.zip_with(look.fits[mark].fill_null(value=True), look.texts).rename(look.name)


def say_numbers(look: Look, mark: str, remarks: Remarks) -> None:
    if look.name not in remarks.found.get("doubtful_mark", ()):
        if mark == "," and mark in look.marks:
            remarks.add("decimal_comma", look.name, example(look, mark, mark))
        if look.bare.str.contains(f"[{OTHER[mark]}{GAPS}]").any():
            remarks.add("thousands", look.name, example(look, mark, OTHER[mark] + GAPS))
    if look.unit:
        beside = look.texts.filter(look.texts.str.contains(look.unit, literal=True))
        remarks.add("unit", look.name, f"“{beside[0]}”")
    say_dashes(look, remarks)


def say_dashes(look: Look, remarks: Remarks) -> None:
    dashes = look.texts.is_in(DASHES).sum()
    if dashes:
        remarks.add("dash", look.name, f"{dashes:,} of {len(look.texts):,} rows")


def example(look: Look, mark: str, having: str = ",.") -> str:
    """The longest number that has one of these marks, beside how it is read."""
    is_number = look.fits[","] | look.fits["."]
    given = look.bare.filter(look.bare.str.contains(f"[{having}]") & is_number)
    text = str(max(given.head(EXAMPLES_TRIED), key=len))
    if not mark:
        return text
    row = (look.bare == text).arg_max() or 0
    return f"{text} is read as {as_numbers(look, mark)[row]}"


def culprits(look: Look, mark: str) -> str:
    is_none = (~look.fits[mark]).fill_null(value=False)
    row, more = is_none.arg_max() or 0, int(is_none.sum()) - 1
    others = f" and {more:,} more" if more else ""
    return f"“{look.texts[row][:40]}” (row {row + 1:,}){others}"


# Dates


def as_dates(look: Look, remarks: Remarks) -> pl.Series:
    """ISO dates where day and month change places, if the column tells which comes first."""
    is_slashed = look.bare.str.contains(SLASHES)
    if not (is_slashed | look.bare.str.contains(DATES)).all():
        return look.texts
    say_dashes(look, remarks)
    if not is_slashed.any():
        return look.bare
    parts = [look.bare.str.extract(SLASHES, place) for place in (1, 2, 3, 4)]
    one, two = (part.cast(pl.Int64) for part in parts[:2])
    orders = [(one > 12).any(), (two > 12).any()]
    unclear = look.bare.filter(((one <= 12) & (two <= 12) & (one != two)).fill_null(value=False))
    if all(orders) or not any(orders):
        if len(unclear):
            remarks.add("unclear_date", look.name, unclear[0])
        return look.bare
    day, month = (parts[0], parts[1]) if orders[0] else (parts[1], parts[0])
    written = parts[2] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + parts[3]
    found = written.zip_with(is_slashed.fill_null(value=False), look.bare).rename(look.name)
    row = is_slashed.arg_max() if not len(unclear) else (look.bare == unclear[0]).arg_max()
    remarks.add("date_order", look.name, f"{look.bare[row or 0]} is read as {found[row or 0]}")
    return found

"""Reading what people wrote: every mistake is noted with its path, none stops the reading."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAMED_MAX = 32  # of the names that would have done
PROBLEMS_MAX = 50  # more help nobody, and each costs a search for what was meant


@dataclass(frozen=True)
class Problem:
    """One mistake: where, and what would be right."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    def refusal(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, not {shown(value)}"
        if not self.low <= value <= self.high:
            return f"must be from {self.low:,} to {self.high:,}, not {shown(value)}"
        return None


@dataclass(frozen=True)
class Real:
    low: float
    high: float

    def refusal(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {shown(value)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number, not {shown(value)}"
        if not self.low <= value <= self.high:
            return f"must be from {self.low:g} to {self.high:g}, not {shown(value)}"
        return None


@dataclass(frozen=True)
class Choice:
    known: Sequence[str]

    def refusal(self, value: object) -> str | None:
        if isinstance(value, str) and value in self.known:
            return None
        return f"{shown(value)} is not known{suggestion(value, self.known)}"


@dataclass(frozen=True)
class Flag:
    def refusal(self, value: object) -> str | None:
        return None if isinstance(value, bool) else f"must be true or false, not {shown(value)}"


@dataclass(frozen=True)
class Powers:
    """1, 2, 4 and so on, up to `high`."""

    high: int

    def refusal(self, value: object) -> str | None:
        known = [2**n for n in range(self.high.bit_length())]
        if isinstance(value, bool) or value not in known:
            return f"must be one of {', '.join(map(str, known))}, not {shown(value)}"
        return None


@dataclass(frozen=True)
class Sides:
    """A list of whole numbers, `least` to `most` of them."""

    least: int
    most: int
    side: Whole

    def refusal(self, value: object) -> str | None:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            sizes = self.least if self.least == self.most else f"{self.least} to {self.most}"
            return f"must be a list of {sizes} whole numbers, not {shown(value)}"
        return next((found for each in value if (found := self.side.refusal(each))), None)


@dataclass(frozen=True)
class Reals:
    """A list of numbers, as many as it takes."""

    number: Real
    most: int = 65_536

    def refusal(self, value: object) -> str | None:
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            return f"must be a list of 1 to {self.most:,} numbers, not {shown(value)}"
        return next((found for each in value if (found := self.number.refusal(each))), None)


Field = Whole | Real | Choice | Flag | Powers | Sides | Reals


@dataclass(frozen=True)
class Reader:
    """Collects what is wrong. A field that was refused is missing from what is read."""

    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        self.problems.append(Problem(path, reason))

    def section(
        self, raw: object, path: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> dict[str, Any]:
        """An object that has the required keys, perhaps the optional ones, and no others."""
        if not isinstance(raw, Mapping):
            self.refuse(path or "config", f"must be an object, not {shown(raw)}")
            return {}
        known = (*required, *optional)
        for key in raw:
            if key in known:
                continue
            if len(self.problems) >= PROBLEMS_MAX:
                self.refuse(path or "config", "has more keys that are not known here")
                break
            self.refuse(join(path, key), f"is not known here{suggestion(key, known)}")
        for key in required:
            if key not in raw:
                self.refuse(join(path, key), "is required")
        return {key: raw[key] for key in known if key in raw}

    def fields(
        self, raw: Mapping[str, Any], path: str, kinds: Mapping[str, Field]
    ) -> dict[str, Any]:
        """The values of the keys that are there and right; whole numbers become floats where a Real
        is asked.
        """
        values: dict[str, Any] = {}
        for key, kind in kinds.items():
            if key not in raw:
                continue
            refusal = kind.refusal(raw[key])
            if refusal is not None:
                self.refuse(join(path, key), refusal)
                continue
            values[key] = float(raw[key]) if isinstance(kind, Real) else raw[key]
        return values


def join(path: str, key: object) -> str:
    name = str(key)[:60]
    if not name.isprintable():  # such as half of a surrogate pair, which no answer can carry
        name = name.encode("unicode_escape").decode()
    return f"{path}.{name}" if path else name


def shown(value: object) -> str:
    """A value as an error may show it: short, whatever was sent."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {int(math.log10(abs(value))) + 1:,} digits"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value[:40] if isinstance(value, str) else value)


def suggestion(value: object, known: Sequence[str]) -> str:
    """ "; did you mean …?" where something is near, and what there is, or its first."""
    near = difflib.get_close_matches(str(value)[:60], known, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else ""
    more = f" and {len(known) - NAMED_MAX:,} more" if len(known) > NAMED_MAX else ""
    return f"{guess} (known: {', '.join(known[:NAMED_MAX])}{more})"

"""What is said of people's rows: that all is well, or what may spoil a model and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    level: str  # ok, warn or bad
    code: str
    message: str
    count: int = 0


def named(names: Sequence[str] | Mapping[str, Any]) -> str:
    first = [f"“{name}”" for name in list(names)[:NAMES_SHOWN]]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")

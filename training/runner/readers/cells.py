"""What no cell of a table may hold, whatever format it came in.

A text that a spreadsheet would run as a formula is refused: data are shared, downloaded and opened
by others. Negative numbers and telephone numbers are none.
"""

import re
from collections.abc import Sequence

from kernels.fields import shown
from training.runner.readers.content import Bounds, FileRefused
from training.runner.recipes.columns import NAME_LENGTH_MAX

FORMULA = "=@\t\r"
SIGNS = "+-"
HARMLESS = frozenset("0123456789abcdefghjklmnopqrstuvwxyzABCDEFGHJKLMNOPQRSTUVWXYZ")  # without i
AFTER_SIGN = re.compile(r"[+-]+|[+-][\s\d.][^|!(]*")
NOT_FINITE = {"inf", "infinity"}
CELL_LENGTH_MAX = 100_000


def fault_of(cell: str) -> str | None:
    """Why this text is not taken, or None."""
    first = cell[:1]
    if first in HARMLESS and len(cell) <= CELL_LENGTH_MAX:
        return None
    if first in FORMULA and len(cell) > 1:
        return f"{shown(cell)} begins like a formula of a spreadsheet; put a letter before it"
    if first in SIGNS and cell[1:].strip().lower() not in NOT_FINITE:
        if cell and not AFTER_SIGN.fullmatch(cell):
            return f"{shown(cell)} begins like a formula of a spreadsheet; put a letter before it"
    elif cell.lstrip(SIGNS).lower() in NOT_FINITE:
        return f"{shown(cell)} is not a finite number; leave the cell empty where it is missing"
    if len(cell) > CELL_LENGTH_MAX:
        return f"has {len(cell):,} characters; at most {CELL_LENGTH_MAX:,}"
    return None


def check_cell(cell: str, where: str) -> None:
    if (fault := fault_of(cell)) is not None:
        raise FileRefused(f"{where}: {fault}.")


def check_heading(names: Sequence[str], bounds: Bounds, where: str = "the heading") -> None:
    """FileRefused unless each column has a name, and its own."""
    if len(names) > bounds.columns:
        raise FileRefused(f"has {len(names):,} columns; at most {bounds.columns:,}.")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise FileRefused(f"{where}: column {number} has no name; give it one.")
        if len(name) > NAME_LENGTH_MAX:
            raise FileRefused(
                f"{where}: the name of column {number}, {shown(name)}…, has {len(name):,} "
                f"characters; at most {NAME_LENGTH_MAX}."
            )
        if name != name.strip():
            raise FileRefused(f"{where}: {shown(name)} has a space around it; remove it.")
        if not name.isprintable():
            raise FileRefused(f"{where}: the name of column {number} is not printable: {name!r}.")
        check_cell(name, where)
        if name in seen:
            raise FileRefused(f"{where}: {name!r} stands there twice; rename one of them.")
        seen.add(name)

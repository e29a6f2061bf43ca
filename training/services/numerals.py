"""How people type numbers: a point or a comma before the decimals, thousands apart or not.

What can be read in one way is taken, in whatever notation a person's file has it; what may be one
number or another, or one number or several, is refused in words, since a model answers what it was
not asked as surely as all else. This is of what is typed; the API takes numbers as JSON has them.
"""

import re

from governance.services import Refusal
from kernels.fields import shown

OTHER = {".": ",", ",": "."}  # what divides thousands where the first stands before decimals
APART = re.compile(r"[;\s]+")


def pattern(mark: str, other: str) -> re.Pattern[str]:
    """What a number looks like where `mark` stands before decimals; a lead of zero has no
    thousands.
    """
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{other}]\d{{3}})+)"
    number = rf"[+-]?(?:{whole}(?:[{mark}]\d*)?|[{mark}]\d+)(?:[eE][+-]?\d+)?"
    return re.compile(number, re.ASCII)


PATTERNS = {mark: pattern(mark, other) for mark, other in OTHER.items()}


def readings(word: str) -> set[str]:
    """Each number that a word may be, as JSON writes it."""
    marks = [mark for mark, number in PATTERNS.items() if number.fullmatch(word)]
    return {word.replace(OTHER[mark], "").replace(mark, ".") for mark in marks}


def read_numeral(text: str) -> str:
    """One number with a point before its decimals; what is none stays as it is. A single point is
    one before decimals, as it is in all numbers that a page shows. Raises Refusal.
    """
    word = text.strip()
    found = readings(word)
    if not found or ("," not in word and word.count(".") == 1):
        return word
    if len(found) > 1:
        least, most = sorted(found, key=float)
        raise Refusal(f"{shown(word)} may be {least} or {most}; write one of these")
    return found.pop()


def read_numerals(text: str, *, has_lines: bool) -> list[str]:
    """Numbers that stand apart by blanks, lines, semicolons or commas. A comma between two digits
    divides them where they cannot be one number, and stands before decimals where semicolons divide
    or, of what `has_lines` of one value each, lines. Raises Refusal.
    """
    words = [word.strip(",") for word in text.split()]
    words = [word for word in words if word]
    lines = [line for line in text.splitlines() if line.strip()]
    inside = [word for word in words if "," in word]
    if ";" in text:
        words = [word for word in APART.split(text) if word]
    elif any(not readings(word) for word in inside):
        return text.replace(",", " ").split()
    elif inside and not (has_lines and len(lines) == len(words) > 1):
        raise Refusal(
            f"{shown(inside[0])} may be one number or several; write decimals with a point, and a "
            "blank or a semicolon between values"
        )
    return [read_nth(word, number) for number, word in enumerate(words, start=1)]


def read_nth(word: str, number: int) -> str:
    try:
        return read_numeral(word)
    except Refusal as refusal:
        raise Refusal(f"value {number}: {refusal}") from refusal

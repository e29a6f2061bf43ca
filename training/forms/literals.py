"""A configuration as people paste it: JSON, or the literal of a program, such as

    const config = { training: { epochs: 10, optimizer: 'adam' } };  // with remarks

A pass over the words makes JSON of it: names get their quotes, remarks and last commas go. Python's
own `json` reads the rest, and what it refuses is told with the line and column that were typed.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

OPENING = re.compile(r"\s*(?:export\s+)?(?:default\s+|(?:const|let|var)\s+[\w$]+\s*=\s*)")
CLOSING = re.compile(r";\s*$")
WORD = re.compile(
    r"""
    (?P<text> "(?:[^"\\\n]|\\.)*" )
  | (?P<quoted> '(?:[^'\\\n]|\\.)*' )
  | (?P<remark> //[^\n]* | /\*.*?\*/ )
  | (?P<name> [A-Za-z_$][\w$]* ) (?= \s*: )
  | (?P<comma> , ) (?= \s* [}\]] )
    """,
    re.VERBOSE | re.DOTALL,
)


class NotALiteral(ValueError):
    """What was pasted cannot be read; says where."""


def read(text: str) -> Any:
    """The value that the text says. Raises NotALiteral."""
    value = read_words(text)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotALiteral("This holds half of a surrogate pair, which is no text.") from error
    return value


def read_words(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except ValueError:
        pass  # not JSON as it stands: perhaps a literal
    except RecursionError as error:
        raise NotALiteral("This is nested too deeply.") from error
    plain = CLOSING.sub(blanks, WORD.sub(without_remarks, text))
    opening = OPENING.match(plain)
    plain = blanks(opening) + plain[opening.end() :] if opening else plain
    starts: list[
        tuple[int, int]
    ] = []  # where the places of the result begin to differ, by how much
    written = WORD.sub(quoting(starts), plain)
    try:
        return json.loads(written, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        shift = next((by for start, by in reversed(starts) if start <= error.pos), 0)
        at = max(error.pos - shift, 0)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        message = f"line {line}, column {column}: {error.msg}; write JSON, or a literal like it."
        raise NotALiteral(message) from error
    except ValueError as error:
        raise NotALiteral(f"{error}.") from error  # such as a number of too many digits
    except RecursionError as error:
        raise NotALiteral("This is nested too deeply.") from error


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that a configuration can hold")


def blanks(found: re.Match[str]) -> str:
    """As many blanks, so that all that follows stays where it was."""
    return re.sub(r"[^\n]", " ", found[0])


def without_remarks(found: re.Match[str]) -> str:
    return blanks(found) if found["remark"] else found[0]


def quoting(starts: list[tuple[int, int]]) -> Callable[[re.Match[str]], str]:
    """Gives names and single-quoted texts the quotes of JSON, and notes what that moves."""
    moved = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal moved
        word = found[0]
        if found["name"]:
            word = f'"{word}"'
        elif found["quoted"]:
            word = json.dumps(re.sub(r"\\(.)", r"\1", word[1:-1]), ensure_ascii=False)
        elif found["comma"]:
            word = " "
        if len(word) != len(found[0]):
            begin = found.start() + moved
            moved += len(word) - len(found[0])
            starts.append((begin + len(word), moved))
        return word

    return replace

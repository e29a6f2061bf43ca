"""Bytes as text: UTF-8, or UTF-16 where a mark says so; what is broken is refused by its place.

A table may be Windows-1252, as spreadsheets of western Europe and America save it, unless it is
UTF-8 in part. Nothing in such bytes says so: who brought it is shown a word, to look at.
"""

import codecs
import re

from training.runner.findings import Finding
from training.runner.readers.content import FileRefused

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


WORD = re.compile(r"\w{0,20}[^\x00-\x7f]\w{0,20}")


def decode_table(content: bytes) -> tuple[str, list[Finding]]:
    """The text, and what is to be said of how it was read. Raises FileRefused."""
    try:
        return decode(content), []
    except FileRefused:
        text = as_windows(content)
        if text is None:
            raise
    word = WORD.search(text)
    message = (
        "The file is not UTF-8 and was read as Windows-1252. Look whether "
        f"“{word.group() if word else ''}” is written as it should be; if not, "
        "save the file as UTF-8 and bring it anew."
    )
    return decode(text.encode()), [Finding("warn", "encoding", message)]


def as_windows(content: bytes) -> str | None:
    """None where a byte is no letter, or others make letters of UTF-8: then it is broken UTF-8."""
    is_utf_8_in_part = not content.decode("utf-8", errors="ignore").isascii()
    if is_utf_8_in_part or b"\0" in content or content.startswith(tuple(MARKS)):
        return None
    try:
        return content.decode("windows-1252")
    except UnicodeDecodeError:
        return None


def decode(content: bytes) -> str:
    """The text, its lines ended by \\n. Raises FileRefused."""
    if not content.strip():
        raise FileRefused("is empty; bring one with rows.")
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start + len(mark)
        line = content[:at].count(b"\n") + 1
        raise FileRefused(
            f"is not {encoding.upper()}: byte {at:,} (line {line:,}) is 0x{content[at]:02x}. "
            "Save it as UTF-8."
        ) from error
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise FileRefused(f"holds a NUL character in line {line:,}; it is no text. Remove it.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise FileRefused("is empty; bring one with rows.")
    return text

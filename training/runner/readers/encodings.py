"""Bytes as text: UTF-8, or UTF-16 where a mark says so; what is broken is refused by its place."""

import codecs

from training.runner.readers.content import FileRefused

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


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

"""Which format a file has, from its first bytes and its name. What is inside is a worker's matter.

The bytes decide, since a name can say anything; the name decides only between kinds of text. What
cannot be read here is named, with the way to something that can.
"""

from pathlib import PurePath

from training.models import Dataset

FIRST_BYTES = 4_096  # as much as is looked at
Format = Dataset.Format

SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".parquet": Format.PARQUET,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".npz": Format.NPZ,
    ".npy": Format.NPY,
    ".zip": Format.ZIP,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".md": Format.TEXT,
}
TEXTS = {Format.CSV, Format.TSV, Format.JSONL, Format.TEXT}
MAGIC = {b"PAR1": Format.PARQUET, b"\x93NUMPY": Format.NPY, b"PK\x03\x04": Format.ZIP}
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
# What people bring by mistake, and what to bring instead.
REFUSED = {
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"BZh": "a bzip2 archive; unpack it",
    b"\xfd7zXZ": "an xz archive; unpack it",
    b"7z\xbc\xaf": "a 7-Zip archive; pack the pictures as .zip instead",
    b"Rar!": "a RAR archive; pack the pictures as .zip instead",
    b"\xd0\xcf\x11\xe0": "an old Office document; save the sheet as CSV",
    b"%PDF": "a PDF; bring its text or table",
    b"\x89PNG": "one picture; bring a .zip with a folder for each class",
    b"\xff\xd8\xff": "one picture; bring a .zip with a folder for each class",
    b"GIF8": "one picture; bring a .zip with a folder for each class",
    b"\x89HDF": "an HDF5 file; save its arrays as .npz",
    b"SQLite format 3": "a database; export its table as CSV",
    b"\x80\x02": "a pickle, which could run code; save the arrays as .npz",
    b"\x80\x03": "a pickle, which could run code; save the arrays as .npz",
    b"\x80\x04": "a pickle, which could run code; save the arrays as .npz",
    b"\x80\x05": "a pickle, which could run code; save the arrays as .npz",
}
KNOWN = "CSV, TSV, Parquet, JSON lines, NPY, NPZ, a .zip of pictures in class folders, plain text"


class UnknownFormat(ValueError):
    """The file is none that can be read here; the text says what it is and what to bring."""


def format_of(first: bytes, name: str) -> Dataset.Format:
    """The format of a file that begins with `first` and is called `name`. Raises UnknownFormat."""
    if not first.strip():
        raise UnknownFormat("is empty; bring one with rows")
    for magic, what in REFUSED.items():
        if first.startswith(magic):
            raise UnknownFormat(f"is {what}")
    named = SUFFIXES.get(PurePath(name).suffix.lower())
    for magic, kind in MAGIC.items():
        if first.startswith(magic):
            return archive(first) if kind is Format.ZIP else kind
    if named is not None and named not in TEXTS:
        raise UnknownFormat(f"is called {PurePath(name).suffix} and does not begin like one")
    if b"\0" in first and not first.startswith(BYTE_ORDER_MARKS):
        raise UnknownFormat(f"is none of the formats that can be read here: {KNOWN}")
    return named or text_kind(first)


def archive(first: bytes) -> Dataset.Format:
    """A zip is told by its first member: arrays, an Office document, or else pictures."""
    length = int.from_bytes(first[26:28], "little")
    member = first[30 : 30 + length]
    if member.endswith(b".npy"):
        return Format.NPZ
    if member == b"[Content_Types].xml" or member.startswith((b"_rels/", b"docProps/", b"xl/")):
        raise UnknownFormat("is an Office document; save the sheet as CSV")
    return Format.ZIP


def text_kind(first: bytes) -> Dataset.Format:
    """Of text whose name says nothing: JSON lines, a table, or words."""
    line = first.lstrip(b"\xef\xbb\xbf \r\n").split(b"\n", 1)[0]
    if line.startswith(b"{"):
        return Format.JSONL
    if line.startswith(b"["):
        raise UnknownFormat("is one JSON list; bring one object a line, as .jsonl")
    if b"\t" in line:
        return Format.TSV
    return Format.CSV if b"," in line or b";" in line else Format.TEXT

"""Reading what people bring: a file's bytes as a table, arrays, pictures or a text.

Every reader believes nothing and refuses with FileRefused, which says where and why. What a parser
of somebody else's does beyond that (end the process, take all memory) is the business of
`training.runner.reading`, which runs all this in a process of its own. Imported there only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from training.runner.readers.arrays import read_npy, read_npz
from training.runner.readers.content import (
    Arrays,
    Bounds,
    Content,
    FileRefused,
    Pictures,
    Table,
    Text,
)
from training.runner.readers.pictures import read_pictures
from training.runner.readers.tables import read_json_lines, read_parquet, read_separated
from training.runner.readers.texts import read_text

__all__ = ["Arrays", "Bounds", "Content", "FileRefused", "Pictures", "Table", "Text", "read"]

FIRST_BYTES = 8
# Formats whose first bytes say so, whatever the file is called.
MAGIC = {
    "parquet": (b"PAR1",),
    "npy": (b"\x93NUMPY",),
    "npz": (b"PK\x03\x04",),
    "zip": (b"PK\x03\x04",),
}
BINARY = (*(magic for each in MAGIC.values() for magic in each), b"\x1f\x8b", b"%PDF")


def read_tabs(path: Path, bounds: Bounds) -> Table:
    return read_separated(path, bounds, delimiter="\t")


READERS: Mapping[str, Callable[[Path, Bounds], Content]] = {
    "csv": read_separated,
    "tsv": read_tabs,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "npy": read_npy,
    "npz": read_npz,
    "zip": read_pictures,
    "text": read_text,
}


def read(
    path: Path, kind: str, bounds: Bounds, *, size: tuple[int, int, int] | None = None
) -> Content:
    """What a file of this format holds. `size` is that which pictures are brought to.

    Raises FileRefused.
    """
    if kind not in READERS:
        raise FileRefused(f"is of the format {kind!r}; these are read: {', '.join(READERS)}.")
    size_bytes = path.stat().st_size
    if not size_bytes:
        raise FileRefused("is empty; bring one with rows.")
    if size_bytes > bounds.file_bytes:
        raise FileRefused(f"has {size_bytes:,} bytes; at most {bounds.file_bytes:,} are read.")
    check_magic(path, kind)
    if kind == "zip":
        return read_pictures(path, bounds, size=size)
    return READERS[kind](path, bounds)


def check_magic(path: Path, kind: str) -> None:
    """What a file is, is told by its content."""
    with path.open("rb") as file:
        first = file.read(FIRST_BYTES)
    wanted = MAGIC.get(kind)
    if wanted is not None and not first.startswith(wanted):
        raise FileRefused(f"does not begin like {kind.upper()}; it is something else.")
    if wanted is None and first.startswith(BINARY):
        raise FileRefused(f"does not begin like {kind.upper()}: it is no text.")

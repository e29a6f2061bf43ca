"""A zip that somebody brought, looked through before a byte of it is unpacked.

What the directory says is checked (how many entries, how large they become, where they would go)
and then held to: no entry gives more bytes than it declared.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from training.runner.readers.content import FileRefused

ENTRY_BYTES_MAX = 500_000_000
TOTAL_BYTES_MAX = 1_000_000_000
RATIO_MAX = 200
RATIO_FROM_BYTES = 1_000_000  # below, a ratio harms nobody: a blank picture packs well
PIECE_BYTES = 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
ENCRYPTED = 1
# What systems leave behind, and nobody meant to bring.
RUBBISH = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}


def open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise FileRefused(f"is not read as a zip: {error}.") from error


def entries(archive: zipfile.ZipFile, size_bytes: int, entries_max: int) -> list[zipfile.ZipInfo]:
    """The files in it, in the order of their names. Raises FileRefused."""
    # Not `is_dir`, which fails on a name without letters.
    found = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    if len(found) > entries_max:
        raise FileRefused(f"has {len(found):,} files in it; at most {entries_max:,}.")
    found = [entry for entry in found if not is_rubbish(PurePosixPath(entry.filename))]
    for entry in found:
        check_entry(entry)
    names = [entry.filename for entry in found]
    if len(set(names)) != len(names):
        raise FileRefused("has two files of one name; rename one of them.")
    packed = sum(entry.compress_size for entry in found)
    unpacked = sum(entry.file_size for entry in found)
    if packed > size_bytes:
        raise FileRefused("is a zip bomb: its files lie over one another.")
    if unpacked > TOTAL_BYTES_MAX:
        raise FileRefused(f"unpacks to {unpacked:,} bytes; at most {TOTAL_BYTES_MAX:,}.")
    if unpacked > RATIO_FROM_BYTES and unpacked > RATIO_MAX * max(size_bytes, 1):
        raise FileRefused(
            f"is a zip bomb: {size_bytes:,} bytes unpack to {unpacked:,}, more than {RATIO_MAX} "
            "times as many."
        )
    return sorted(found, key=lambda entry: entry.filename)


def is_rubbish(path: PurePosixPath) -> bool:
    return bool(RUBBISH & set(path.parts)) or path.name.startswith("._")


def check_entry(entry: zipfile.ZipInfo) -> None:
    name, fault = entry.filename, None
    parts = PurePosixPath(name).parts
    if "\\" in name or name.startswith("/") or name[1:2] == ":" or ".." in parts:
        fault = "its path leads out of the archive"
    elif not name or not name.isprintable():
        fault = "its name is empty or not printable"
    elif entry.create_system == 3 and stat.S_ISLNK(entry.external_attr >> 16):
        fault = "it is a link"
    elif entry.flag_bits & ENCRYPTED:
        fault = "it is encrypted"
    elif entry.compress_type not in METHODS:
        fault = "it is packed in a way that is not read here; use deflate"
    elif entry.file_size > ENTRY_BYTES_MAX:
        fault = f"it unpacks to {entry.file_size:,} bytes; at most {ENTRY_BYTES_MAX:,}"
    if fault is not None:
        raise FileRefused(f"{name[:80]!r}: {fault}.")


def content_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry, no more than it declared. Raises FileRefused."""
    try:
        content = b"".join(pieces(archive, entry))
    except (zipfile.BadZipFile, ValueError, EOFError, RuntimeError, OSError) as error:
        raise FileRefused(f"{entry.filename!r}: is damaged: {error}.") from error
    except (NotImplementedError, zlib.error) as error:
        raise FileRefused(f"{entry.filename!r}: cannot be unpacked: {error}.") from error
    if content.startswith(ARCHIVES):
        raise FileRefused(f"{entry.filename!r}: is an archive in an archive; unpack it.")
    return content


def pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    left = entry.file_size
    with archive.open(entry) as file:
        while piece := file.read(PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise FileRefused(
                    f"{entry.filename!r}: unpacks to more than the {entry.file_size:,} bytes "
                    "that it declares."
                )
            yield piece

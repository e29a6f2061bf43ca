"""Bytes stored under their SHA-256: a name never changes content, and a write can be repeated.

On a folder a blob is written to a temporary file, synced and renamed: a crash leaves the old state
or the new one. An object store promises as much by itself.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage

from governance import services as governance

FETCHED_BYTES = 2**20
PIECE_BYTES = 32 * 2**20  # what a slow disk syncs within a lease, many times over


class BlobFault(Exception):
    """Bytes that were stored cannot be had."""


class BlobMissing(BlobFault):
    """Nothing is stored under this name, where something was."""


class BlobDamaged(BlobFault):
    """The stored bytes are not those that were stored."""


class BlobTooLarge(Exception):
    """More bytes came than may be stored; none were."""


def name(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256}"


def put(content: bytes, *, beat: Callable[[], object] = lambda: None) -> str:
    """Store the bytes, also over damaged ones, and return their SHA-256 in hexadecimal.

    `beat` is called after each piece that is hashed or on the disk.
    """
    sha256 = _hash(content, beat)
    if default_storage.exists(name(sha256)) and is_whole(sha256):
        return sha256
    beat()
    if isinstance(default_storage._wrapped, FileSystemStorage):  # type: ignore[attr-defined]  # a LazyObject
        _put_in_folder(Path(default_storage.path(name(sha256))), content, beat)
    else:
        default_storage.delete(name(sha256))  # or a storage that keeps both finds another name
        default_storage.save(name(sha256), ContentFile(content))
    return sha256


def keep(sha256: str, content: bytes) -> None:
    """Have these bytes, which `put` has just stored, still there when the transaction ends.

    So that large ones are written outside of it, and nobody waits for its locks as long as a disk
    takes.
    """
    lock(sha256)
    if not default_storage.exists(name(sha256)):
        put(content)


def _pieces(content: bytes) -> Iterator[memoryview]:
    whole = memoryview(content)
    for begin in range(0, max(1, len(whole)), PIECE_BYTES):
        yield whole[begin : begin + PIECE_BYTES]


def _hash(content: bytes, beat: Callable[[], object]) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
        beat()
    return digest.hexdigest()


def _put_in_folder(path: Path, content: bytes, beat: Callable[[], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in _pieces(content):
                file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                beat()
        _rename(Path(temporary), path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _rename(temporary: Path, path: Path) -> None:
    """Give the synced file its name, so that a crash leaves it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def put_stream(pieces: Iterable[bytes], *, bytes_max: int) -> tuple[str, int]:
    """Store what comes in pieces, none of which has to fit in memory with another.

    Returns the SHA-256 in hexadecimal and the number of bytes; until the transaction ends, nobody
    deletes them. Raises BlobTooLarge.
    """
    folder = _folder()
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            sha256, size_bytes = _write_pieces(file, pieces, bytes_max)
            file.flush()
            os.fsync(file.fileno())
        lock(sha256)
        if folder is None:
            default_storage.delete(name(sha256))
            with open(temporary, "rb") as file:
                default_storage.save(name(sha256), File(file))
        else:
            _rename(Path(temporary), Path(default_storage.path(name(sha256))))
    finally:
        Path(temporary).unlink(missing_ok=True)
    return sha256, size_bytes


def _folder() -> Path | None:
    """Where blobs lie, so that a temporary file can be renamed to one; None in an object store."""
    if not isinstance(default_storage._wrapped, FileSystemStorage):  # type: ignore[attr-defined]  # a LazyObject
        return None
    folder = Path(default_storage.path("blobs"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_pieces(file: IO[bytes], pieces: Iterable[bytes], bytes_max: int) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > bytes_max:
            raise BlobTooLarge(f"more than {bytes_max:,} bytes")
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest(), size_bytes


def get(sha256: str) -> bytes:
    """The bytes of this SHA-256, checked. Raises BlobFault."""
    try:
        with default_storage.open(name(sha256)) as file:
            content: bytes = file.read()
    except FileNotFoundError as error:
        raise BlobMissing(f"The stored file {name(sha256)} is missing.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BlobDamaged(f"The stored file {name(sha256)} does not have the content of its name.")
    return content


def open_blob(sha256: str) -> File[bytes]:
    """The bytes, to be read in parts by one who compares their hash. Raises BlobMissing."""
    try:
        return default_storage.open(name(sha256))
    except FileNotFoundError as error:
        raise BlobMissing(f"The stored file {name(sha256)} is missing.") from error


def fetch(sha256: str, path: Path) -> None:
    """A stored file, piece by piece. Raises BlobFault."""
    digest = hashlib.sha256()
    with open_blob(sha256) as stored, path.open("wb") as file:
        while piece := stored.read(FETCHED_BYTES):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != sha256:
        raise BlobDamaged(f"The stored file {name(sha256)} was altered.")


def is_whole(sha256: str) -> bool:
    try:
        get(sha256)
    except BlobFault:
        return False
    return True


def lock(sha256: str) -> None:
    """Keep others from storing or deleting these bytes until the transaction ends.

    Equal jobs have equal checkpoints, so what one forgets another may be about to name.
    """
    governance.take_turn(name(sha256))


def delete(sha256: str) -> None:
    default_storage.delete(name(sha256))

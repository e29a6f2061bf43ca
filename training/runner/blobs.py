"""Bytes stored under their SHA-256: a name never changes content, and a write can be repeated.

On a folder a blob is written to a temporary file, synced and renamed: a crash leaves the old state
or the new one. An object store promises as much by itself.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage

from governance import services as governance


class BlobFault(Exception):
    """Bytes that were stored cannot be had."""


class BlobMissing(BlobFault):
    """Nothing is stored under this name, where something was."""


class BlobDamaged(BlobFault):
    """The stored bytes are not those that were stored."""


def name(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256}"


def put(content: bytes) -> str:
    """Store the bytes, also over damaged ones, and return their SHA-256 in hexadecimal."""
    sha256 = hashlib.sha256(content).hexdigest()
    if default_storage.exists(name(sha256)) and is_whole(sha256):
        return sha256
    if isinstance(default_storage._wrapped, FileSystemStorage):  # type: ignore[attr-defined]  # a LazyObject
        _put_in_folder(Path(default_storage.path(name(sha256))), content)
    else:
        default_storage.delete(name(sha256))  # or a storage that keeps both finds another name
        default_storage.save(name(sha256), ContentFile(content))
    return sha256


def _put_in_folder(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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

"""What is wrong with an archive, told from its table of contents: nothing of it is unpacked.

No file of a model is an archive, so being one is a fault by itself. A zip is found wherever it
stands, since it is read from its end: a file may be a model from the front and a zip from behind.
"""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from training.runner import pickles

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
}
RATIO_MAX = 100  # of what comes out to what is there
UNPACKED_BYTES_MAX = 2**30
MEMBERS_MAX = 10_000
MEMBERS_READ_BYTES = 2**20  # of each, to see whether it is a pickle
PICKLE_SUFFIXES = {".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth", ".ckpt", ".dill"}


def faults(content: bytes) -> Iterator[str]:
    for magic, kind in MAGIC.items():
        if content.startswith(magic):
            yield f"is packed as {kind}; a file of a model is not packed"
    if content[257:262] == b"ustar":
        yield "is a tar archive; a file of a model is not packed"
        yield from tar_faults(content)
    if zipfile.is_zipfile(io.BytesIO(content)):
        yield from zip_faults(content)


def zip_faults(content: bytes) -> Iterator[str]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # the four letters of its end by accident; what reads zips refuses it as well
    with archive:
        members = archive.infolist()
        yield f"is a zip archive, read from its end, of {len(members)} files"
        if len(members) > MEMBERS_MAX:
            yield f"has {len(members):,} members; at most {MEMBERS_MAX:,}"
        unpacked = sum(member.file_size for member in members)
        packed = max(1, sum(member.compress_size for member in members))
        if unpacked > UNPACKED_BYTES_MAX or unpacked > RATIO_MAX * packed:
            yield f"unpacks {packed:,} bytes to {unpacked:,}: a bomb"
        for member in members[:MEMBERS_MAX]:
            yield from name_faults(member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                yield f"{member.filename!r}: is a link"
            if is_pickle(archive, member):
                yield f"{member.filename!r}: is a pickle, a program that runs when it is read"


def is_pickle(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """By its name, or by the first megabyte of its content."""
    if PurePosixPath(member.filename).suffix.lower() in PICKLE_SUFFIXES:
        return True
    try:
        with archive.open(member) as file:
            return pickles.is_pickle(file.read(MEMBERS_READ_BYTES))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        return True  # what cannot be looked into, being encrypted or damaged, is not trusted


def tar_faults(content: bytes) -> Iterator[str]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for count, member in enumerate(archive):
            if count >= MEMBERS_MAX:
                yield f"has more than {MEMBERS_MAX:,} members"
                return
            yield from name_faults(member.name)
            if not (member.isfile() or member.isdir()):
                yield f"{member.name!r}: is a link or a device"


def name_faults(name: str) -> Iterator[str]:
    """Names that lead out of the folder in which an archive is unpacked."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":" or ".." in PurePosixPath(plain).parts:
        yield f"{name!r}: leads out of the folder it is unpacked in"

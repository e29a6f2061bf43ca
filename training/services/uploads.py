"""Data that people bring as a file. It is stored as it came, piece by piece, under the hash of its
bytes; a worker reads it.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO

from django.db import transaction
from django.db.models import F, Sum
from django.utils.text import slugify

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import DESCRIPTION_LENGTH_MAX, FILE_NAME_LENGTH_MAX, NAME_LENGTH_MAX, Dataset
from training.runner import blobs, formats
from training.runner.asking import asked_format
from training.runner.caps import Caps, caps_of
from training.runner.hints import hint
from training.runner.plans import plan_of

PIECE_BYTES = 2**20
# What people may say of who may use their data, and where it is written down.
LICENCES = {
    "": "",
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-NC 4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "ODC-By 1.0": "https://opendatacommons.org/licenses/by/1-0/",
    "ODbL 1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
    "PDDL 1.0": "https://opendatacommons.org/licenses/pddl/1-0/",
    "MIT": "https://spdx.org/licenses/MIT.html",
    "Apache 2.0": "https://spdx.org/licenses/Apache-2.0.html",
    "Only I may use it": "",
}


class InvalidUpload(Refusal):
    """What was brought cannot be a dataset; the text names the field and what would be right."""

    status = 422


class UploadTooLarge(Refusal):
    """The file has more bytes than the plan takes."""

    status = 413


class CapReached(Refusal):
    """The plan holds no more data; delete a dataset to make room."""


@transaction.atomic
def upload_dataset(
    *,
    owner: User,
    file: IO[bytes],
    file_name: str,
    name: str = "",
    description: str = "",
    licence: str = "",
) -> Dataset:
    """Store a file piece by piece and have a worker read it. Without a name it is the file's."""
    check_line("file", file_name, FILE_NAME_LENGTH_MAX)
    first = file.read(formats.FIRST_BYTES)
    try:
        kind = formats.format_of(first, file_name)
    except formats.UnknownFormat as error:
        raise InvalidUpload(f"file: {file_name!r} {error}.") from error
    return keep(
        owner=owner,
        pieces=chain([first], iter(lambda: file.read(PIECE_BYTES), b"")),
        format=kind,
        upload_name=file_name,
        name=name.strip() or file_name.rpartition(".")[0] or file_name,
        description=description,
        licence=licence,
    )


def keep(
    *,
    owner: User,
    pieces: Iterator[bytes],
    format: Dataset.Format,
    upload_name: str,
    name: str,
    description: str,
    licence: str,
) -> Dataset:
    """Check what is said of the data, store them, and hand them to a worker."""
    check_texts(name=name, description=description, licence=licence)
    governance.take_turn(f"datasets/{owner.pk}")  # two at once do not share what room is left
    caps = caps_of(owner.pk)
    sha256, size_bytes = store(pieces, owner, caps)
    dataset = Dataset.objects.create(
        owner=owner,
        slug=new_slug(name),
        name=name,
        description=description,
        source="brought by its owner",
        licence=licence,
        format=format,
        upload_sha256=sha256,
        upload_name=upload_name,
        upload_bytes=size_bytes,
        request_id=governance.request_id(),
    )
    details = {"format": format.value, "bytes": size_bytes, "sha256": sha256}
    governance.record(actor=owner, verb="upload_dataset", subject=dataset, details=details)
    hint("training.tasks.prepare_dataset", dataset_id=str(dataset.pk))
    return dataset


def store(pieces: Iterator[bytes], owner: User, caps: Caps) -> tuple[str, int]:
    """The SHA-256 and length of what was stored within these caps."""
    require_room(owner, caps)
    used = Dataset.objects.of(owner).aggregate(sum=Sum(F("upload_bytes") + F("size_bytes")))["sum"]
    left = caps.total_bytes - (used or 0)
    try:
        return blobs.put_stream(pieces, bytes_max=min(caps.file_bytes, left))
    except blobs.BlobTooLarge as error:
        if left < caps.file_bytes:
            raise CapReached(
                f"file: your plan keeps {caps.total_bytes:,} bytes of data and you have "
                f"{max(left, 0):,} left; delete a dataset, or bring a smaller file."
            ) from error
        raise too_large(owner, caps.file_bytes) from error


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Bytes that were brought, and what they are."""

    sha256: str
    size_bytes: int
    format: Dataset.Format


def store_asked(*, owner: User, file: IO[bytes], file_name: str) -> Stored:
    """Keep a file of rows that models are to be asked, in the transaction of who names it."""
    check_line("file", file_name, FILE_NAME_LENGTH_MAX)
    first = file.read(formats.FIRST_BYTES)
    try:
        kind = asked_format(first, file_name)
    except formats.UnknownFormat as error:
        raise InvalidUpload(f"file: {file_name!r} {error}.") from error
    most = caps_of(owner.pk).file_bytes
    pieces = chain([first], iter(lambda: file.read(PIECE_BYTES), b""))
    try:
        sha256, size_bytes = blobs.put_stream(pieces, bytes_max=most)
    except blobs.BlobTooLarge as error:
        raise too_large(owner, most) from error
    return Stored(sha256=sha256, size_bytes=size_bytes, format=kind)


def too_large(owner: User, most: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"file: has more than {most:,} bytes, which is what the plan "
        f"“{plan_of(owner.pk).name}” takes at once; bring fewer rows, or the same rows as "
        "Parquet, which is smaller."
    )


def require_room(owner: User, caps: Caps) -> None:
    """CapReached unless one more dataset, or version of one, may be kept."""
    if Dataset.objects.of(owner).count() >= caps.datasets:
        raise CapReached(
            f"You have {caps.datasets} datasets, as many as your plan keeps; delete one first."
        )


def new_slug(name: str) -> str:
    """An address that nobody guesses and that tells nothing of other people's data."""
    return f"{slugify(name)[:36].strip('-') or 'data'}-{secrets.token_hex(4)}"


def check_texts(*, name: str, description: str, licence: str) -> None:
    check_line("name", name, NAME_LENGTH_MAX)
    if len(description) > DESCRIPTION_LENGTH_MAX:
        raise InvalidUpload(
            f"description: has {len(description):,} characters; at most {DESCRIPTION_LENGTH_MAX:,}."
        )
    if "\0" in description:
        raise InvalidUpload("description: holds a NUL character; remove it.")
    if licence not in LICENCES:
        known = ", ".join(filter(None, LICENCES))
        raise InvalidUpload(f"licence: {licence!r} is none of these: {known}; or leave it out.")


def check_line(field: str, text: str, length_max: int) -> None:
    if not text.strip():
        raise InvalidUpload(f"{field}: is empty; give it a name.")
    if len(text) > length_max:
        raise InvalidUpload(f"{field}: has {len(text):,} characters; at most {length_max}.")
    if not text.isprintable():
        raise InvalidUpload(f"{field}: must be text that people can see, in one line.")

"""Stored files, as people read them and take them home."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.core.files.base import File

from governance.services import Refusal
from kernels.graphfields import GraphRefused
from kernels.tensors import ModelRefused
from training.runner import blobs
from training.runner.blobs import BlobFault
from training.runner.recipes import RecipeRefused

log = structlog.get_logger()


class FileUnreadable(Refusal):
    """A stored file is missing or damaged on our side; nothing is charged."""

    status = 503


@contextmanager
def reading(sha256: str) -> Iterator[None]:
    """Inside, a file that is not what was stored is refused, and logged."""
    try:
        yield
    except (BlobFault, ModelRefused, GraphRefused, RecipeRefused) as error:
        log.exception("file_unreadable", sha256=sha256)
        raise FileUnreadable(
            "A file that this needs cannot be read at present. Nothing was charged; it was logged "
            "for those who run the site."
        ) from error


def open_file(*, sha256: str) -> File[bytes]:
    """To be streamed, or closed by the caller. Raises FileUnreadable."""
    with reading(sha256):
        return blobs.open_blob(sha256)

"""Files that people take home: sent in parts, so that none is ever whole in memory."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

from asgiref.sync import sync_to_async
from django.core.files.base import File
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from training import services as training


def attachment(
    request: HttpRequest, opened: File[bytes], *, sha256: str, name: str
) -> HttpResponseBase:
    """The file, which is closed after its last part."""
    parts = training.stream_file(opened)
    size_bytes = opened.size
    response = StreamingHttpResponse(
        asynchronous(parts) if isinstance(request, ASGIRequest) else parts,
        content_type="application/octet-stream",
    )
    response["Content-Length"] = str(size_bytes)
    response["ETag"] = f'"{sha256}"'
    named(response, name)
    return response


async def asynchronous(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same parts, each read in a thread, so that a slow disk holds up nobody else."""
    following = sync_to_async(partial(next, parts, b""))
    while part := await following():
        yield part


def named(response: HttpResponseBase, name: str) -> None:
    """To be kept under this name, and shown by no browser as anything else than it is."""
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Disposition"] = disposition or "attachment"
    response["X-Content-Type-Options"] = "nosniff"

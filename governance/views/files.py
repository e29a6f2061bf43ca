"""Files that people take home: sent in parts, so that none is ever whole in memory, and from where
a broken download left off (RFC 9110, section 14).
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial

from asgiref.sync import sync_to_async
from django.core.files.base import File
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

PART_BYTES = 2**16
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
PARTIAL, UNSATISFIABLE = 206, 416


@dataclass(frozen=True)
class Span:
    """The bytes of a file from `first` to before `end`; empty where none of them is there."""

    first: int
    end: int

    @property
    def size_bytes(self) -> int:
        return max(0, self.end - self.first)


def asked_span(request: HttpRequest, *, size_bytes: int, tag: str) -> Span | None:
    """The one range of bytes that is asked for. None for the whole file: where no range is, several
    are, or the file is another one than that of which the rest is wanted.
    """
    found = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if request.method != "GET" or found is None or request.headers.get("If-Range", tag) != tag:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        return Span(max(0, size_bytes - int(last)), size_bytes if int(last) else 0)
    if last and int(last) < int(first):
        return None
    return Span(int(first), min(int(last) + 1 if last else size_bytes, size_bytes))


def begins_reading(request: HttpRequest) -> bool:
    """Whether its answer has the first byte: who goes on with a download has had it before."""
    asked = request.headers.get("Range", "").replace(" ", "")
    return request.method == "GET" and (not asked.startswith("bytes=") or asked[6:8] == "0-")


def attachment(
    request: HttpRequest, opened: File[bytes], *, sha256: str, name: str
) -> HttpResponseBase:
    """The file, or what is asked of it, which is closed with the response."""
    size_bytes, tag = opened.size, f'"{sha256}"'
    span = asked_span(request, size_bytes=size_bytes, tag=tag)
    shown = span or Span(0, size_bytes)
    response: HttpResponseBase
    if request.method == "HEAD" or (span and not span.size_bytes):
        opened.close()
        response = HttpResponse(content_type="application/octet-stream")
    else:
        kind = AsynchronousParts if isinstance(request, ASGIRequest) else Parts
        response = StreamingHttpResponse(
            kind(opened, shown), content_type="application/octet-stream"
        )
    if span:
        response.status_code = PARTIAL if span.size_bytes else UNSATISFIABLE
        within = f"{span.first}-{span.end - 1}" if span.size_bytes else "*"
        response["Content-Range"] = f"bytes {within}/{size_bytes}"
    response["Content-Length"] = str(shown.size_bytes)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    named(response, name)
    return response


def parts_of(file: File[bytes], span: Span) -> Iterator[bytes]:
    file.seek(span.first)
    left = span.size_bytes
    while left and (part := file.read(min(left, PART_BYTES))):
        left -= len(part)
        yield part


class Closing:
    """What a response calls at its end, also where nobody read a part."""

    def __init__(self, file: File[bytes], span: Span) -> None:
        self.file, self.parts = file, parts_of(file, span)

    def close(self) -> None:
        self.file.close()


class Parts(Closing):
    def __iter__(self) -> Iterator[bytes]:
        return self.parts


class AsynchronousParts(Closing):
    """The same parts, each read in a thread, so that a slow disk holds up nobody else."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        following = sync_to_async(partial(next, self.parts, b""))
        while part := await following():
            yield part


def named(response: HttpResponseBase, name: str) -> None:
    """To be kept under this name, and shown by no browser as anything else than it is."""
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Disposition"] = disposition or "attachment"
    response["X-Content-Type-Options"] = "nosniff"

"""Bounds on what a request may send, held before anything of it is kept.

Django reads a whole body into a temporary file before it looks at the address, the person or the
token, and bounds neither its size nor its time. So a body of more than `bytes_max` is refused: by
its declared length before it is read, and otherwise by counting what arrives. A body that takes
longer than `seconds` in all is refused as well. Only the addresses that take files have wider
bounds, and those for forms of several parts alone, which Django reads without keeping them in
memory; JSON becomes objects many times its size.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from config import errors

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    bytes_max: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Declined:
    """Why a body is not taken, as the members of an answer."""

    status: int
    code: str
    detail: str


def too_large(bounds: Bounds) -> Declined:
    detail = f"The request has more than {bounds.bytes_max:,} bytes; send less at once."
    return Declined(status=413, code="body_too_large", detail=detail)


def too_slow(bounds: Bounds) -> Declined:
    detail = f"The request did not arrive within {bounds.seconds:g} seconds; send it anew."
    return Declined(status=408, code="body_too_slow", detail=detail)


class Body:
    """A body as it arrives. `declined` says why it was not taken, if it was not."""

    def __init__(self, receive: Receive, bounds: Bounds) -> None:
        self.receive = receive
        self.bounds = bounds
        self.deadline = asyncio.get_running_loop().time() + bounds.seconds
        self.received_bytes = 0
        self.is_whole = False
        self.declined: Declined | None = None

    async def next(self) -> Message:
        """The next message. To the application a body that is declined is a client that left: it
        cleans up and answers nothing.
        """
        if self.is_whole:  # only waits for the client to leave
            return await self.receive()
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self.receive()
        except TimeoutError:
            self.declined = too_slow(self.bounds)
            return {"type": "http.disconnect"}
        self.received_bytes += len(message.get("body", b""))
        if self.received_bytes > self.bounds.bytes_max:
            self.declined = too_large(self.bounds)
            return {"type": "http.disconnect"}
        self.is_whole = not message.get("more_body", False)
        return message


class Bounded:
    """An ASGI application whose requests have bounded bodies."""

    def __init__(
        self, application: Application, bounds: Bounds, uploads: Mapping[str, Bounds] | None = None
    ) -> None:
        """`uploads` are the paths that take files, with the bounds of those."""
        self.application = application
        self.bounds = bounds
        self.uploads = uploads or {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        bounds = self.bounds_of(scope)
        body = Body(receive, bounds)
        if declared_bytes(scope) > bounds.bytes_max:
            body.declined = too_large(bounds)
        else:
            await self.application(scope, body.next, send)
        if body.declined is not None:
            await send_response(declined_response(scope["path"], body.declined), send)

    def bounds_of(self, scope: Message) -> Bounds:
        kind: bytes = dict(scope["headers"]).get(b"content-type", b"")
        if not kind.lower().startswith(b"multipart/form-data"):
            return self.bounds
        return self.uploads.get(scope["path"], self.bounds)


def declared_bytes(scope: Message) -> int:
    """`Content-Length`, or 0 where there is none; the server has refused what is no number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


def declined_response(path: str, declined: Declined) -> HttpResponse:
    response = errors.answer(
        path,
        page="400.html",
        status=declined.status,
        code=declined.code,
        detail=declined.detail,
    )
    response["Connection"] = "close"  # so that the server does not read the rest
    return response


async def send_response(response: HttpResponse, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})

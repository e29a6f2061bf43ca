"""Answers each request whole in one of a few threads, each of which keeps its database connection.

Django's own ASGI handler starts a thread for every request and goes back and forth between it and
the event loop at each layer that is not asynchronous, which took more of a prediction's time than
all the rest; it lets in whoever comes. Here a request goes over once and comes back with its
answer. What finds no free thread waits in a line that has an end: who comes then is told at once
when to come again, before it costs anything.

Predictions, which programs send by the thousand and pages by their forms, have lanes of their own:
of each caller so many of one model, deployment or cluster wait or are answered at a time, and of
these only some have a thread. So one that is slow, or much asked, leaves threads for others and for
pages. Those that a lane has no room for are refused with 429.
"""

import asyncio
import contextvars
import re
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import set_script_prefix

from config import errors
from training import services as training

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Message], Awaitable[None]]
Answer = HttpResponse | StreamingHttpResponse
Result = TypeVar("Result")
Given = ParamSpec("Given")
PREDICTION = re.compile(
    r"/api/v1/(?:models|deployments|clusters)/(?P<id>[^/]+)/predict"
    r"|/v2/models/(?P<name>[^/]+)(?:/versions/[^/]+)?/infer"
)
# What people ask by the form of a page.
QUESTION = re.compile(
    r"/(?:models|templates)/(?P<id>[^/]+)/(?:try|versions/[0-9]+/review/try)/"
    r"|/deployments/(?P<name>[0-9a-f-]{36})/"
)


@dataclass
class Lane:
    """One caller's predictions of one name: how many, and a place for those with a thread."""

    threads: asyncio.Semaphore
    inside: int = 0


@dataclass(kw_only=True)
class Lanes:
    """Predictions under way in this process: at most `most`, `most_of_one` of one lane, and
    `threads_of_one` of these with a thread. Belongs to the event loop.
    """

    most: int
    most_of_one: int
    threads_of_one: int
    inside: int = 0
    lanes: dict[str, Lane] = field(default_factory=dict)

    @asynccontextmanager
    async def enter(self, name: str) -> AsyncIterator[None]:
        """Inside there is a thread to be had. Raises TooManyCalls where there is no room."""
        lane = self.lanes.get(name) or Lane(asyncio.Semaphore(self.threads_of_one))
        for inside, most in ((self.inside, self.most), (lane.inside, self.most_of_one)):
            if inside >= most:
                raise training.too_many_calls(most)
        self.lanes[name] = lane
        self.inside += 1
        lane.inside += 1
        try:
            async with lane.threads:
                yield
        finally:
            self.inside -= 1
            lane.inside -= 1
            if not lane.inside:
                del self.lanes[name]  # or every name that was ever asked is remembered


def lane_of(scope: Mapping[str, Any]) -> str | None:
    """What a request asks for a prediction, and as whom; None for whatever else it is. A page is
    looked at outside of the lane of its form.
    """
    asked = PREDICTION.fullmatch(scope["path"])
    if asked is None and scope["method"] == "POST":
        asked = QUESTION.fullmatch(scope["path"])
    if asked is None:
        return None
    # Nobody has checked yet who asks: who gives another key, or none, fills no lane but their own.
    says = (value for name, value in scope["headers"] if name in (b"authorization", b"cookie"))
    return f"{asked['id'] or asked['name']} {b' '.join(says)!r}"


class Threads(ASGIHandler):
    """The site as an ASGI application."""

    def __init__(self, *, threads: int, waiting_max: int, lanes: Lanes) -> None:
        BaseHandler.__init__(self)  # ASGIHandler's own loads the middleware for the event loop
        self.load_middleware(is_async=False)
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self.inside_max = threads + waiting_max
        self.inside = 0
        self.lanes = lanes

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            response = await self.answer(scope, body)
        if response.streaming:
            await self.stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def answer(self, scope: dict[str, Any], body: Any) -> Answer:
        path, name = scope["path"], lane_of(scope)
        if name is None:
            return await self.in_line(path, self.work, scope, body)
        try:
            async with self.lanes.enter(name):
                return await self.in_line(path, self.work, scope, body)
        except training.TooManyCalls as refusal:
            return errors.crowded(path, refusal)

    async def in_line(
        self, path: str, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result | HttpResponse:
        """What the work came to, or where the line is full the answer that says so."""
        if self.inside >= self.inside_max:
            return errors.busy(path)
        self.inside += 1
        try:
            return await self.threaded(work, *args, **kwargs)
        finally:
            self.inside -= 1

    async def threaded(
        self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """In one of the threads, with this request's context variables and no other's."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        call = partial(context.run, work, *args, **kwargs)
        return await loop.run_in_executor(self.threads, call)

    def work(self, scope: dict[str, Any], body: Any) -> Answer:
        """All of a request, in one thread; a stream is only begun here."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        spare_questions()
        request, declined = self.create_request(scope, body)
        response: Any = declined if request is None else self.get_response(request)
        response._handler_class = self.__class__  # whom `close` names as the sender of its signal
        answer: Answer = response
        if not answer.streaming:
            answer.close()
        return answer

    async def stream(self, response: Answer, receive: Receive, send: Send) -> None:
        """Send parts as they come, until the last, or until the client leaves."""
        sending = asyncio.create_task(self.send_response(response, send))
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self.threaded(response.close)


def spare_questions() -> None:
    """In the thread that is to ask the database."""
    for connection in connections.all(initialized_only=True):
        spare_question(connection)


def spare_question(connection: BaseDatabaseWrapper) -> None:
    """Django asks a kept connection whether it lives before it is used again: a round trip in each
    request. A server that went away has closed its socket, which then can be read; where there is
    nothing to read the question is spared.
    """
    held = connection.connection
    if held is None or held.closed:
        return
    poll = select.poll()
    poll.register(held.fileno(), select.POLLIN)
    connection.health_check_done = not poll.poll(0)  # type: ignore[attr-defined]  # untyped

"""Push: a stream of events (SSE) that says when some work has changed, for as long as it runs.

It carries versions and not content: on each, the page asks for its fragment as it does when it
polls, so there is one way to draw it. A new stream begins with the version as it then is, so who
was cut off misses nothing. Streams need an ASGI server.

Every stream looks at the database twice a second; two threads look for all of them, so that not
each holds a connection. A process serves only so many. The stream of who comes then, of a person
with too many tabs, and of everybody where no ASGI server runs, is over at once, and their pages go
on polling.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

Look = Callable[[], tuple[str, bool]]  # the version, and whether it is over

LOOK_SECONDS = 0.5
ALIVE_SECONDS = 15.0  # what says nothing for longer, some proxies end
STREAM_SECONDS = 300.0  # then the browser connects anew, to a process that may be a newer one
STREAMS_MAX = 100
STREAMS_OF_ONE_MAX = 6
CONTENT_TYPE = "text/event-stream"
UNKEPT = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
OVER = "event: over\ndata: \n\n"  # tells the browser to close it, and not to come again
LOOKING = ThreadPoolExecutor(2, thread_name_prefix="look")
OPEN: Counter[uuid.UUID] = Counter()  # by person; one event loop, so nobody counts at once


def stream(request: HttpRequest, owner_id: uuid.UUID, look: Look) -> HttpResponseBase:
    """The changes of what somebody owns, told by looks at it."""
    # A thread of another server would do nothing else.
    if not isinstance(request, ASGIRequest):
        return HttpResponse(OVER, content_type=CONTENT_TYPE, headers=UNKEPT)
    return StreamingHttpResponse(follow(owner_id, look), content_type=CONTENT_TYPE, headers=UNKEPT)


async def follow(owner_id: uuid.UUID, look: Look) -> AsyncIterator[str]:
    """A `change` with each new version, and `over` at the end of the work, or at once where there
    is no room: it is looked for and taken without waiting in between, so that nobody comes between.
    """
    if OPEN.total() >= STREAMS_MAX or OPEN[owner_id] >= STREAMS_OF_ONE_MAX:
        yield OVER
        return
    OPEN[owner_id] += 1
    try:
        ends_at = time.monotonic() + STREAM_SECONDS
        seen, spoke_at = "", time.monotonic()
        while time.monotonic() < ends_at:
            version, is_over = await looked(look)
            if version != seen:
                seen, spoke_at = version, time.monotonic()
                yield f"event: change\ndata: {version}\n\n"
            elif time.monotonic() - spoke_at > ALIVE_SECONDS:
                spoke_at = time.monotonic()
                yield ": still here\n\n"
            if is_over:
                yield OVER
                return
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        OPEN[owner_id] -= 1
        if not OPEN[owner_id]:
            del OPEN[owner_id]  # or everybody who ever looked would be remembered


async def looked(look: Look) -> tuple[str, bool]:
    return await asyncio.get_running_loop().run_in_executor(LOOKING, fresh, look)


def fresh(look: Look) -> tuple[str, bool]:
    """A look by this thread; a connection that broke is let go."""
    try:
        return look()
    finally:
        close_old_connections()

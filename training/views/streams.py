"""Push: a stream of events (SSE) that says when a job has changed, for as long as it runs.

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
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import aget_object_or_404
from django.views.decorators.http import require_GET

from training import services as training
from training.models import Job

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


@login_required
@require_GET
async def job_stream(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    user = await request.auser()
    found = await aget_object_or_404(Job, owner=user.pk, pk=job_id)
    # A thread of another server would do nothing else.
    if not isinstance(request, ASGIRequest):
        return HttpResponse(OVER, content_type=CONTENT_TYPE, headers=UNKEPT)
    return StreamingHttpResponse(follow(found), content_type=CONTENT_TYPE, headers=UNKEPT)


async def follow(job: Job) -> AsyncIterator[str]:
    """A `change` with each new version, and `over` at the end of the job, or at once where there is
    no room: it is looked for and taken without waiting in between, so that nobody comes between.
    """
    if OPEN.total() >= STREAMS_MAX or OPEN[job.owner_id] >= STREAMS_OF_ONE_MAX:
        yield OVER
        return
    OPEN[job.owner_id] += 1
    try:
        ends_at = time.monotonic() + STREAM_SECONDS
        seen, spoke_at = "", time.monotonic()
        while time.monotonic() < ends_at:
            version, is_over = await look(job.pk)
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
        OPEN[job.owner_id] -= 1
        if not OPEN[job.owner_id]:
            del OPEN[job.owner_id]  # or everybody who ever looked would be remembered


async def look(job_id: uuid.UUID) -> tuple[str, bool]:
    return await asyncio.get_running_loop().run_in_executor(LOOKING, state, job_id)


def state(job_id: uuid.UUID) -> tuple[str, bool]:
    """The version of a job, and whether it is over. A connection that broke is let go."""
    try:
        job = Job.objects.get(pk=job_id)
        return training.job_version(job=job), job.is_over
    finally:
        close_old_connections()

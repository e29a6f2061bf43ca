"""Push: what a browser that listens to a job is told."""

import asyncio
from functools import partial

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import AsyncRequestFactory
from django.urls import reverse

from config.threads import Lanes, Threads
from governance.views import streams
from tests.training.test_pages import text
from training import services as training
from training.models import Event
from training.runner import chunks
from training.views.streams import job_stream, state


@pytest.fixture
def listen(transactional_db, job, monkeypatch):
    """Reads what is told of alice's job until the end; after each part one of `steps` is done.

    Not in the test's own transaction, since a stream gives back its connection after each look.
    """
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.01)

    async def listen(*steps):
        told, waiting = [], list(steps)
        async for part in streams.follow(job.owner_id, partial(state, job.pk)):
            told.append(part)
            if waiting:
                await sync_to_async(waiting.pop(0))()
        return told

    return async_to_sync(listen)


def test_a_listener_is_told_of_each_change_and_of_the_end(listen, job, alice):
    first = training.job_version(job=job)
    told = listen(
        lambda: Event.objects.create(job=job, message="Something happened."),
        lambda: training.cancel_job(actor=alice, job=job),
    )
    job.refresh_from_db()
    assert told[0] == f"event: change\ndata: {first}\n\n"
    assert told[1].startswith("event: change\ndata: queued-0-0-")
    assert told[1] != told[0]
    assert told[2:] == [
        f"event: change\ndata: {training.job_version(job=job)}\n\n",
        "event: over\ndata: \n\n",
    ]
    assert not streams.OPEN


def test_who_comes_when_it_is_over_gets_the_state_and_the_end(listen, job):
    chunks.run_turn()
    job.refresh_from_db()
    assert listen() == [
        f"event: change\ndata: {training.job_version(job=job)}\n\n",
        "event: over\ndata: \n\n",
    ]


def test_a_stream_ends_after_a_while_and_says_that_it_lives(listen, job, monkeypatch):
    monkeypatch.setattr(streams, "STREAM_SECONDS", 0.3)
    monkeypatch.setattr(streams, "ALIVE_SECONDS", 0.1)
    told = listen()
    assert ": still here\n\n" in told
    assert "over" not in "".join(told)


@pytest.fixture
def ask(transactional_db, job):
    """Asks for the stream of alice's job, as an ASGI server hands it on."""

    async def ask(user):
        request = AsyncRequestFactory().get(reverse("training:job_stream", args=[job.pk]))

        async def auser():
            return user

        request.user, request.auser = user, auser
        return await job_stream(request, job.pk)

    return async_to_sync(ask)


def test_a_stream_is_never_kept_by_anything_between(ask, alice):
    answer = ask(alice)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    assert (answer["Cache-Control"], answer["X-Accel-Buffering"]) == ("no-store", "no")


def test_a_person_with_too_many_tabs_goes_on_polling(ask, alice, monkeypatch):
    monkeypatch.setitem(streams.OPEN, alice.pk, streams.STREAMS_OF_ONE_MAX)
    answer = ask(alice)

    async def told():
        return b"".join([part async for part in answer.streaming_content]).decode()

    assert async_to_sync(told)() == streams.OVER


def test_without_an_asgi_server_pages_go_on_polling(client, alice, job):
    client.force_login(alice)
    answer = client.get(reverse("training:job_stream", args=[job.pk]))
    assert (answer.status_code, text(answer)) == (200, streams.OVER)


def test_a_stranger_hears_nothing(client, job, mallory):
    where = reverse("training:job_stream", args=[job.pk])
    assert client.get(where).status_code == 302
    client.force_login(mallory)
    assert client.get(where).status_code == 404


def test_a_browser_that_goes_away_gives_its_place_back(client, alice, job, transactional_db):
    """Through the server's own entry: what it does then is all that ends the stream."""
    client.force_login(alice)
    cookie = "; ".join(f"{each.key}={each.value}" for each in client.cookies.values())
    path = reverse("training:job_stream", args=[job.pk])
    scope = {
        "type": "http",
        "method": "GET",
        "client": ("127.0.0.1", 1),
        "path": path,
        "query_string": b"",
        "headers": [(b"cookie", cookie.encode()), (b"host", b"testserver")],
    }
    begun, parts = [], []
    lanes = Lanes(most=1, most_of_one=1, threads_of_one=1)
    site = Threads(threads=1, waiting_max=1, lanes=lanes)

    async def visit():
        leave = asyncio.Event()

        async def receive():
            if not begun:
                begun.append(True)
                return {"type": "http.request", "body": b"", "more_body": False}
            await leave.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            parts.append(message.get("body", b""))
            if b"change" in parts[-1]:
                assert streams.OPEN[alice.pk] == 1
                leave.set()

        await site(scope, receive, send)
        await asyncio.sleep(0)

    async_to_sync(visit)()
    assert any(b"event: change" in part for part in parts)
    assert not streams.OPEN


def test_two_tabs_that_come_at_once_do_not_share_the_last_place(ask, alice, job, monkeypatch):
    monkeypatch.setattr(streams, "STREAMS_OF_ONE_MAX", 1)
    first, second = ask(alice), ask(alice)  # both have been let in, and neither has begun

    async def begin_both():
        told = [aiter(each.streaming_content) for each in (first, second)]
        found = [await anext(each) for each in told]
        for each in (first, second):
            await each._iterator.aclose()  # as the server does where a browser goes away
        return [part.decode() for part in found]

    told = async_to_sync(begin_both)()
    assert told[0].startswith("event: change")
    assert told[1] == streams.OVER
    assert not streams.OPEN

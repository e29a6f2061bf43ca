"""What the web process does when many ask it at the same moment."""

import asyncio
import json
import threading
import time
import uuid
from functools import partial

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path, reverse

from config import urls
from config.threads import Lanes, Threads
from governance import services as governance
from governance.models import Scope

PREDICT = "/api/v1/models/one/predict"
BY_PROTOCOL = "/v2/models/one/versions/2/infer"
OTHER = "/api/v1/models/two/predict"


class Door:
    """Pages that stay open until somebody opens them."""

    def __init__(self):
        self.open = threading.Event()
        self.inside = 0

    def page(self, request, name=""):
        self.inside += 1
        assert self.open.wait(10)
        return HttpResponse(threading.current_thread().name)


DOOR = Door()


async def parts(told):
    try:
        while True:
            yield b"more\n"
            await asyncio.sleep(0.001)
    finally:
        told.append("closed")


TOLD = []
urlpatterns = [
    path("slow", lambda request: DOOR.page(request)),
    path("quick", lambda request: HttpResponse("quick")),
    path("stream", lambda request: StreamingHttpResponse(parts(TOLD))),
    path("api/v1/models/<str:name>/predict", lambda request, name: DOOR.page(request, name)),
    path("api/v1/deployments/<str:name>/predict", lambda request, name: DOOR.page(request, name)),
    *urls.urlpatterns,
]
handler404 = "config.errors.not_found"


@pytest.fixture(autouse=True)
def door(settings, monkeypatch):
    settings.ROOT_URLCONF = __name__
    door = Door()
    monkeypatch.setitem(globals(), "DOOR", door)
    TOLD.clear()
    yield door
    door.open.set()


def site(*, workers=2, waiting_max=1, most=9, most_of_one=9, threads_of_one=9):
    lanes = Lanes(most=most, most_of_one=most_of_one, threads_of_one=threads_of_one)
    return Threads(threads=workers, waiting_max=waiting_max, lanes=lanes)


async def visit(site, address, *, headers=(), body=b"", stay=None):
    """The status, the headers and the body of an answer. `stay` ends when the client leaves."""
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "client": ("127.0.0.1", 1),
        "path": address,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), *headers],
    }
    sent, asked = [], []

    async def receive():
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": body, "more_body": False}
        await (stay or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if stay and len(sent) > 3:
            stay.set()

    await site(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), content.decode()


async def until(is_so):
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_who_finds_all_threads_taken_and_the_line_full_is_told_when_to_come_again(door):
    async def crowd():
        busy = site(workers=2, waiting_max=1)
        first = [asyncio.create_task(visit(busy, "/slow")) for _ in range(3)]
        await until(lambda: door.inside == 2 and busy.inside == 3)
        status, headers, page = await visit(busy, "/quick")
        door.open.set()
        answers = await asyncio.gather(*first)
        return status, headers, page, answers, await visit(busy, "/quick")

    status, headers, page, answers, later = async_to_sync(crowd)()
    assert (status, headers[b"Retry-After"]) == (503, b"5")
    assert "Too many people at once" in page
    assert [answer[0] for answer in answers] == [200] * 3
    assert later[0] == 200


def test_mallory_who_knows_its_id_fills_no_lane_of_bobs(door):
    async def crowd():
        busy = site(workers=2, waiting_max=9, most_of_one=2, threads_of_one=1)
        hers = {"headers": [(b"authorization", b"Bearer hers")]}
        first = [asyncio.create_task(visit(busy, PREDICT, **hers)) for _ in range(2)]
        await until(lambda: busy.lanes.inside == 2)
        refused = await visit(busy, PREDICT, **hers)
        his = {"headers": [(b"authorization", b"Bearer his")]}
        bobs = asyncio.create_task(visit(busy, PREDICT, **his))
        await until(lambda: door.inside == 2)
        door.open.set()
        return refused, await bobs, await asyncio.gather(*first)

    refused, bobs, first = async_to_sync(crowd)()
    assert (refused[0], bobs[0], [each[0] for each in first]) == (429, 200, [200, 200])


def test_more_predictions_than_one_model_may_have_are_refused_and_another_is_answered(door):
    async def crowd():
        busy = site(workers=2, waiting_max=9, most_of_one=3, threads_of_one=1)
        first = [asyncio.create_task(visit(busy, PREDICT)) for _ in range(3)]
        await until(lambda: door.inside == 1 and busy.lanes.inside == 3)
        refused = await visit(busy, PREDICT)
        assert (await visit(busy, BY_PROTOCOL))[0] == 429  # the same model by another address
        page = await visit(busy, "/quick")
        other = asyncio.create_task(visit(busy, OTHER))
        await until(lambda: door.inside == 2)  # while two of the first model still wait
        door.open.set()
        await asyncio.gather(*first, other)
        return refused, page, busy.lanes

    (status, headers, problem), page, lanes = async_to_sync(crowd)()
    assert (status, headers[b"Retry-After"]) == (429, b"1")
    assert json.loads(problem)["code"] == "too_many_calls"
    assert "3 predictions are under way" in json.loads(problem)["detail"]
    assert page[0] == 200
    assert (lanes.inside, lanes.lanes) == (0, {})


def test_predictions_of_many_models_leave_room_for_pages(door):
    async def crowd():
        busy = site(workers=4, waiting_max=9, most=2)
        first = [asyncio.create_task(visit(busy, where)) for where in (PREDICT, OTHER)]
        await until(lambda: door.inside == 2)
        refused = await visit(busy, "/api/v1/deployments/three/predict")
        page = await visit(busy, "/quick")
        door.open.set()
        await asyncio.gather(*first)
        return refused[0], page[0], busy.lanes

    status, page, lanes = async_to_sync(crowd)()
    assert (status, page) == (429, 200)
    assert (lanes.inside, lanes.lanes) == (0, {})


def test_who_leaves_a_stream_ends_it():
    async def listen():
        return await visit(site(), "/stream", stay=asyncio.Event())

    status, _, told = async_to_sync(listen)()
    assert (status, told[:10]) == (200, "more\nmore\n")
    assert TOLD == ["closed"]


def test_a_request_is_answered_by_one_thread_whole(door):
    door.open.set()
    status, headers, name = async_to_sync(visit)(site(), "/slow")
    assert (status, name) == (200, "web_0")
    assert headers[b"X-Request-ID"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_went_away_is_noticed_before_it_is_asked(settings, bob, monkeypatch):
    """The connection of a thread is ended behind its back; the next request gets another."""
    settings.ROOT_URLCONF = "config.urls"
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    _, secret = governance.create_api_key(owner=bob, name="bob", scopes=list(Scope))
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    one = site(workers=1)
    ask = partial(visit, one, "/api/v1/models", headers=headers)
    backend = partial(one.threads.submit, backend_of_this_thread)

    async def lose_the_database():
        first = await ask()
        pid = backend().result(10)
        with_another = await ask()
        assert backend().result(10) == pid  # kept
        await asyncio.to_thread(end, pid)
        return first, with_another, await ask()

    answers = async_to_sync(lose_the_database)()
    one.threads.submit(lambda: connection.close()).result(10)  # its own, not this one's
    assert [status for status, _, _ in answers] == [200] * 3


def backend_of_this_thread():
    return connection.connection.info.backend_pid


def end(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("marketplace:api_predict", {"model_id": uuid.uuid4()}),
        ("marketplace:api_predict_deployed", {"deployment_id": uuid.uuid4()}),
        ("clusters:api_predict", {"cluster_id": uuid.uuid4()}),
        ("marketplace:v2_infer", {"name": "digit-reader"}),
        ("marketplace:v2_version_infer", {"name": "digit-reader", "version": "2"}),
    ],
)
def test_bob_is_asked_to_come_again_at_every_real_door(settings, name, asked):
    settings.ROOT_URLCONF = "config.urls"
    status, headers, problem = async_to_sync(visit)(
        site(most=0), reverse(name, kwargs=asked), body=b"{}"
    )
    assert (status, headers[b"Retry-After"]) == (429, b"1")
    assert json.loads(problem)["type"].endswith("/problems/too_many_calls/")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("marketplace:try", {"slug": "digit-reader"}),
        ("marketplace:peer_try", {"slug": "digit-reader", "number": 2}),
        ("marketplace:deployment", {"deployment_id": uuid.uuid4()}),
        ("training:try_model", {"model_id": uuid.uuid4()}),
    ],
)
def test_who_asks_by_a_form_what_too_many_ask_gets_a_page_and_who_looks_is_let_in(
    settings, monkeypatch, name, asked
):
    settings.ROOT_URLCONF = "config.urls"
    crowd, address = site(most=0), reverse(name, kwargs=asked)
    status, headers, page = async_to_sync(visit)(crowd, address, body=b"values=1")
    assert (status, headers[b"Retry-After"]) == (429, b"1")
    assert "predictions are under way" in page
    monkeypatch.setattr(crowd, "work", lambda scope, body: HttpResponse("looked at"))
    assert async_to_sync(visit)(crowd, address)[0] == 200

"""What a request may send, at the door of the web process."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from config.bodies import Bounded, Bounds
from config.threads import Lanes, Threads

BYTES_MAX = 10_000
BOUNDS = Bounds(bytes_max=BYTES_MAX, seconds=0.2)


UPLOADS = {"/datasets/new/": Bounds(bytes_max=5 * BYTES_MAX, seconds=0.2)}
FORM = (b"content-type", b"multipart/form-data; boundary=x")


def asked(*pieces, path="/account/login/", headers=(), is_whole=True):
    """The status, the headers and the body that answer a POST which arrives in pieces."""

    async def ask():
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost"), *headers],
        }
        lanes = Lanes(most=1, most_of_one=1, threads_of_one=1)
        site = Threads(threads=1, waiting_max=1, lanes=lanes)
        application = Bounded(site, BOUNDS, UPLOADS)
        door = ApplicationCommunicator(application, scope)
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces) or not is_whole
            await door.send_input({"type": "http.request", "body": piece, "more_body": more})
        start = await door.receive_output(10)
        content = await door.receive_output(10)
        await door.send_input({"type": "http.disconnect"})
        await door.wait(10)
        return start["status"], dict(start["headers"]), content["body"].decode()

    return asyncio.run(ask())


def test_a_body_that_says_it_is_too_large_is_not_read():
    length = (b"content-length", str(BYTES_MAX + 1).encode())
    status, headers, page = asked(headers=[length])
    assert (status, headers[b"connection"]) == (413, b"close")
    assert "more than 10,000 bytes" in page


def test_a_body_that_does_not_say_how_large_it_is_is_counted():
    status, _, problem = asked(*[b"x" * 6_000] * 2, path="/api/v1/templates", is_whole=False)
    assert status == 413
    assert json.loads(problem)["code"] == "body_too_large"


def test_a_body_that_does_not_arrive_is_not_waited_for():
    status, headers, page = asked(b"x", is_whole=False)
    assert (status, headers[b"connection"]) == (408, b"close")
    assert "within 0.2 seconds" in page


@pytest.mark.parametrize("pieces", [[b"{}"], [b"x" * BYTES_MAX], [b"{", b"}"]])
def test_a_body_within_the_bounds_arrives_whole(pieces):
    status, _, problem = asked(
        *pieces, path="/api/v1/nowhere", headers=[(b"content-type", b"application/json")]
    )
    assert (status, json.loads(problem)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/datasets/new/", FORM, 403),  # read whole, and then without a token
        ("/datasets/new/", (b"content-type", b"application/json"), 413),
        ("/account/login/", FORM, 413),
    ],
)
def test_only_a_form_that_brings_a_file_may_be_larger(path, kind, status):
    pieces = [b"--x--\r\n" + b"x" * BYTES_MAX] * 3
    found, _, page = asked(*pieces, path=path, headers=[kind])
    assert found == status
    assert ("more than 10,000 bytes" in page) == (status == 413)


def test_a_file_has_bounds_too():
    status, _, page = asked(*[b"x" * BYTES_MAX] * 6, path="/datasets/new/", headers=[FORM])
    assert status == 413
    assert "more than 50,000 bytes" in page


def test_the_web_process_holds_them():
    """Its entry is loaded by nothing but the server, so here by a process of its own."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from config import asgi; print(asgi.application.bounds, asgi.application.uploads)",
        ],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "REQUEST_BYTES_MAX": "77",
            "UPLOAD_BYTES_MAX": "88",
        },
        capture_output=True,
        text=True,
    )
    assert "bytes_max=77" in said.stdout, said.stderr
    assert said.stdout.count("bytes_max=88") == 4, said.stdout

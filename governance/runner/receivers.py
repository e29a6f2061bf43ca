"""One request to a receiver, within a time that no receiver can stretch.

With `http.client`, since it takes a socket that is already connected: the address was judged by its
number, and a library that resolves names itself would ask again. The certificate is checked against
the name. Nothing is followed, tried again or decompressed, and no proxy is asked.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from governance.runner.addresses import Place, Target, parse, resolve

SECONDS_MAX = 15.0
RESPONSE_BYTES_MAX = 1_000
# What keeps an answer from being had, beside the address itself.
FAULTS = (OSError, http.client.HTTPException)


class NoAnswer(Exception):
    """Nothing came that is an answer; the text says what happened, fit for its owner."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a receiver said."""

    status: int
    retry_after: str
    text: str  # the first kilobyte


def post(url: str, *, headers: Mapping[str, str], body: str) -> Reply:
    """Raises AddressRefused or NoAnswer."""
    target = parse(url)
    try:
        places = resolve(target)
    except OSError as error:
        raise NoAnswer(f"The host {target.host} was not found.") from error
    ends_at = time.monotonic() + SECONDS_MAX
    try:
        with connected(target, places) as connection, cut_off(connection, ends_at):
            return exchange(target, connection, headers=headers, body=body)
    except FAULTS as error:
        raise NoAnswer(said(error, is_late=time.monotonic() >= ends_at)) from error


@contextmanager
def connected(target: Target, places: Sequence[Place]) -> Iterator[socket.socket]:
    """The first place that can be connected to; the secure layer is not yet agreed on."""
    plain = connect(places)
    try:
        if target.is_secure:
            secure = ssl.create_default_context()
            plain = secure.wrap_socket(
                plain, server_hostname=target.host, do_handshake_on_connect=False
            )
        yield plain
    finally:
        plain.close()


def connect(places: Sequence[Place]) -> socket.socket:
    """All of them together have a third of the time."""
    last: OSError = OSError("no address")
    for place in places:
        plain = socket.socket(place.family, socket.SOCK_STREAM)
        plain.settimeout(SECONDS_MAX / 3 / len(places))
        try:
            plain.connect(place.address)
        except OSError as error:
            plain.close()
            last = error
        else:
            plain.settimeout(SECONDS_MAX)
            return plain
    raise last


@contextmanager
def cut_off(connection: socket.socket, ends_at: float) -> Iterator[None]:
    """Ends the connection when the time is over. A time-out of the socket alone begins anew with
    every byte, and a receiver that sends one now and then would hold a worker for ever.
    """

    def cut() -> None:
        try:
            # Not that of `ssl`, which would have to agree on the end with the other side.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already

    timer = threading.Timer(max(0.0, ends_at - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def exchange(
    target: Target, connection: socket.socket, *, headers: Mapping[str, str], body: str
) -> Reply:
    if isinstance(connection, ssl.SSLSocket):
        connection.do_handshake()
    default = http.client.HTTPS_PORT if target.is_secure else http.client.HTTP_PORT
    client = http.client.HTTPConnection(target.host, target.port)
    client.default_port = default  # then the header Host names the port only where it must
    client.sock = connection
    client.request("POST", target.path, body=body.encode(), headers=dict(headers))
    answer = client.getresponse()
    return Reply(
        status=answer.status,
        retry_after=answer.headers.get("Retry-After", ""),
        text=beginning(answer),
    )


def beginning(answer: http.client.HTTPResponse) -> str:
    """What the log shows. The status is there already, so what breaks off here changes nothing."""
    try:
        content = answer.read(RESPONSE_BYTES_MAX)
    except http.client.IncompleteRead as error:
        content = error.partial[:RESPONSE_BYTES_MAX]
    except FAULTS:
        content = b""
    return content.decode(errors="replace").replace(
        "\0", "\ufffd"
    )  # no text of the database has it


def said(error: BaseException, *, is_late: bool) -> str:
    """In words for whose address it is. What the system says of it may name machines of ours."""
    if is_late or isinstance(error, TimeoutError):
        return f"It did not answer within {SECONDS_MAX:.0f} seconds."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate was not accepted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "No secure connection came about; is this an https address?"
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, http.client.HTTPException):
        return "What came back is no HTTP answer."
    return "The connection broke."

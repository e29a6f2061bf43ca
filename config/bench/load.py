"""A client that costs little: the same request over kept connections, and when each was answered.

It shares the machine with the server it measures, so it reads of an answer only its status and its
length, and parses nothing. Where requests come at a rate, an answer's time begins at the moment
when its request was due, sent or not: a server that stalls delays what could not be sent meanwhile,
too, and must not be forgiven for it ("coordinated omission", Tene 2013).
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class LoadFailed(Exception):
    """A server answered something else than 200, or left."""


@dataclass(frozen=True)
class Target:
    """What is asked: the bytes of one request to a port of this machine."""

    port: int
    request: bytes


@dataclass(frozen=True)
class Flow:
    """What came of some seconds of requests: when each was answered, after it was due."""

    seconds: float
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The nearest rank, as people count: of 100 answers the 99th is the 99th percentile."""
        ordered = sorted(self.latencies_ms)
        rank = -(-len(ordered) * percent // 100)
        return ordered[max(0, int(rank) - 1)]


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """HTTP/1.1 as it goes over the wire."""
    fields = {"Host": "127.0.0.1", "Content-Length": str(len(body))} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + HEAD_END + body


class Connection(asyncio.Protocol):
    """Asks one thing after the other."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.awaited_bytes = 0
        self.answer: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """The whole answer, head and body."""
        self.received.clear()
        self.awaited_bytes = 0
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.awaited_bytes:
            end = self.received.find(HEAD_END)
            if end < 0:
                return
            head = bytes(self.received[:end]).lower()
            _, _, rest = head.partition(LENGTH)
            self.awaited_bytes = end + len(HEAD_END) + int(rest.split(b"\r\n", 1)[0] or 0)
        if len(self.received) < self.awaited_bytes or self.answer is None:
            return
        if not self.received.startswith(b"HTTP/1.1 200 "):
            self.answer.set_exception(LoadFailed(bytes(self.received[:2000]).decode("latin-1")))
        else:
            self.answer.set_result(bytes(self.received))
        self.answer = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer is not None:
            self.answer.set_exception(LoadFailed("the server closed the connection"))


Act = Callable[[Connection], Coroutine[None, None, None]]


async def connect(port: int) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


async def ask(target: Target) -> bytes:
    """One answer, head and body."""
    connection = await connect(target.port)
    try:
        return await connection.ask(target.request)
    finally:
        connection.transport.close()


async def saturate(target: Target, connections: int, seconds: float) -> Flow:
    """Each connection asks again as soon as it is answered."""
    flow = Flow(seconds)
    ends_at = time.perf_counter() + seconds

    async def keep_asking(connection: Connection) -> None:
        while (asked_at := time.perf_counter()) < ends_at:
            await connection.ask(target.request)
            flow.latencies_ms.append(1e3 * (time.perf_counter() - asked_at))

    await _with_connections(target.port, connections, keep_asking)
    return flow


async def at_rate(target: Target, per_second: float, connections: int, seconds: float) -> Flow:
    """So many requests a second, evenly, whether they are answered or not. What finds no free
    connection waits for one, and its time runs.
    """
    flow = Flow(seconds)
    began_at = time.perf_counter()
    numbers: Iterator[int] = count()

    async def ask_what_is_due(connection: Connection) -> None:
        while (due_at := began_at + next(numbers) / per_second) < began_at + seconds:
            wait = due_at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            await connection.ask(target.request)
            flow.latencies_ms.append(1e3 * (time.perf_counter() - due_at))

    await _with_connections(target.port, connections, ask_what_is_due)
    return flow


async def _with_connections(port: int, number: int, act: Act) -> None:
    opened = [await connect(port) for _ in range(number)]
    try:
        async with asyncio.TaskGroup() as tasks:
            for connection in opened:
                tasks.create_task(act(connection))
    finally:
        for connection in opened:
            connection.transport.close()

"""How the speed of serving is measured and told."""

import asyncio
import contextlib
import json
import time

import numpy as np
import pytest

from config.bench import contest, load
from config.bench.load import Flow, LoadFailed, Target
from config.management.commands import bench_serving


def test_a_percentile_is_that_of_the_nearest_answer():
    flow = Flow(2.0, [float(n) for n in range(1, 101)])
    assert [flow.percentile_ms(n) for n in (50, 95, 99)] == [50, 95, 99]
    assert flow.per_second == 50


def served(act, use):
    """What `use` finds at a port where each request is answered by `act`."""

    talks = []

    async def talk(reader, writer):
        talks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError):  # the client left
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(await act())
        writer.close()
        await writer.wait_closed()

    async def run():
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                return await use(Target(port, load.request("GET", "/", {})))
            finally:
                await asyncio.gather(*talks)

    return asyncio.run(run())


def test_the_time_of_an_answer_begins_when_its_request_was_due():
    """A server that stops for a while is late for all that came meanwhile."""
    begun = time.perf_counter()

    async def stall():
        late = begun + 0.4 - time.perf_counter()
        await asyncio.sleep(max(0.0, late))
        return b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

    flow = served(stall, lambda target: load.at_rate(target, 50, 1, 0.3))
    assert len(flow.latencies_ms) == 15
    assert flow.percentile_ms(50) > 100


def test_an_answer_that_is_no_answer_ends_the_measurement():
    async def refuse():
        return b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n"

    with pytest.raises(LoadFailed, match="429"):
        served(refuse, load.ask)


def test_the_report_says_how_far_from_each_floor_it_is():
    alone = {f"{kind}_p{n}_ms": 5.0 for kind in ("alone", "half") for n in contest.PERCENTS}
    many = {f"p{n}_ms": 10.0 for n in contest.PERCENTS}
    figures = {
        "nothing": alone | {"calls_per_second": 900.0, "alone_p50_ms": 4.0},
        "predict": alone | {"calls_per_second": 600.0},
        "infer, bytes, many rows": many | {"samples_per_second": 50_000.0},
        "peer": alone | {"calls_per_second": 1_200.0},
        "peer, many rows": many | {"samples_per_second": 40_000.0},
    }
    found = contest.report(figures)
    assert found["reached"]["over_nothing_ms"] == 1.0
    assert found["below_floor"] == ["samples_per_second"]
    assert found["times_the_peer"]["infer, bytes, many rows"] == 1.25
    told = "\n".join(bench_serving.lines(found))
    assert "floor samples_per_second 59,400: 50,000.00  SHORT" in told
    without = {name: each for name, each in figures.items() if "peer" not in name}
    told = "\n".join(bench_serving.lines(contest.report(without)))
    assert "not installed here" in told


def test_answers_are_read_from_json_and_from_bytes():
    rows = np.array([[0.25, 0.75]], np.float32)
    plain = json.dumps({"predictions": [{"probabilities": {"a": 0.25, "b": 0.75}}]}).encode()
    head = json.dumps({"outputs": [{"shape": [1, 2]}]}).encode()
    length = f"inference-header-content-length: {len(head)}\r\n".encode()
    assert contest.answered(b"", plain).tobytes() == rows.tobytes()
    assert contest.answered(length, head + rows.tobytes()).tobytes() == rows.tobytes()

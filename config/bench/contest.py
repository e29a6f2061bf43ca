"""Who is asked what, in turns, and what the figures are.

A machine that slows down for a while slows all of them: in each round everybody has a turn, and of
the rounds the median is told. Of one row it is measured how long it takes alone (one client, one
call after the other), how many a second there can be, and how long it takes at half of that many.
Of a thousand rows in one call it is measured how many rows a second there can be.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.bench import load
from config.bench.ground import Ground
from config.bench.load import Flow, Target
from config.bench.urls import NOTHING

CONNECTIONS, BATCHES = 16, 4
PERCENTS = (50, 95, 99)
FLOORS = {"over_nothing_ms": 2.0, "p99_ms": 29.0, "samples_per_second": 59_400.0}
JSON_LENGTH = "Inference-Header-Content-Length"


class WrongAnswer(Exception):
    """A contestant answers otherwise than the model does."""


@dataclass(frozen=True)
class Contestant:
    """`rows` are those of one call; with none of them it does nothing."""

    name: str
    target: Target
    rows: int = 1
    is_peer: bool = False


def contestants(ground: Ground, site: int, peer: int | None) -> list[Contestant]:
    """`site` and `peer` are ports."""
    headers = {"Authorization": f"Bearer {ground.key}", "Content-Type": "application/json"}
    predict = f"/api/v1/models/{ground.model}/predict"

    def ours(path: str, body: bytes, more: Mapping[str, str] | None = None) -> Target:
        return Target(site, load.request("POST", path, headers | dict(more or {}), body))

    one, all_rows = ground.rows[:1], ground.rows
    found = [
        Contestant("nothing", ours(NOTHING, rows_body(one)), rows=0),
        Contestant("predict", ours(predict, rows_body(one))),
        Contestant("predict, many rows", ours(predict, rows_body(all_rows)), rows=len(all_rows)),
    ]
    for name, rows in (("infer, bytes", one), ("infer, bytes, many rows", all_rows)):
        body, length = tensor_body(rows)
        target = ours(f"/v2/models/{ground.model}/infer", body, {JSON_LENGTH: str(length)})
        found.append(Contestant(name, target, rows=len(rows)))
    if peer is not None:
        for name, rows in (("peer", one), ("peer, many rows", all_rows)):
            asked = load.request("POST", "/predict", headers, rows_body(rows))
            found.append(Contestant(name, Target(peer, asked), rows=len(rows), is_peer=True))
    return found


def rows_body(rows: NDArray[np.float32]) -> bytes:
    return json.dumps({"input_data": rows.tolist()}).encode()


def tensor_body(rows: NDArray[np.float32]) -> tuple[bytes, int]:
    """A question of the Open Inference Protocol in bytes, and how long its JSON is."""
    tensor = {"name": "input", "shape": list(rows.shape), "datatype": "FP32"}
    sent = tensor | {"parameters": {"binary_data_size": rows.nbytes}}
    head = {"inputs": [sent], "parameters": {"binary_data_output": True}}
    text = json.dumps(head).encode()
    return text + rows.tobytes(), len(text)


async def check(ground: Ground, contestant: Contestant) -> None:
    """Raises WrongAnswer: of ours to the last bit, of the peer where it rounds otherwise."""
    if not contestant.rows:
        return
    head, _, body = (await load.ask(contestant.target)).partition(load.HEAD_END)
    found = answered(head.lower(), body)
    expected = ground.expected[: contestant.rows]
    is_right = found.shape == expected.shape and (
        np.allclose(found, expected, atol=1e-5)
        if contestant.is_peer
        else found.tobytes() == expected.tobytes()
    )
    if not is_right:
        raise WrongAnswer(f"{contestant.name}: answers otherwise than the model does")


def answered(head: bytes, body: bytes) -> NDArray[np.float32]:
    mark = f"{JSON_LENGTH.lower()}: ".encode()
    if mark in head:
        end = int(head.partition(mark)[2].partition(b"\r")[0])
        shape = json.loads(body[:end])["outputs"][0]["shape"]
        return np.frombuffer(body[end:], np.float32).reshape(shape)
    told = json.loads(body)
    if "probabilities" in told:
        return np.array(told["probabilities"], np.float32)
    rows = [list(one["probabilities"].values()) for one in told["predictions"]]
    return np.array(rows, np.float32)


async def measure(
    ground: Ground, all_of_them: Sequence[Contestant], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """The figures of each, medians of the rounds. Raises WrongAnswer and LoadFailed."""
    turns: dict[str, list[dict[str, float]]] = {one.name: [] for one in all_of_them}
    for one in all_of_them:
        await check(ground, one)
        await load.saturate(one.target, BATCHES, seconds / 4)  # warm
    for _ in range(rounds):
        for one in all_of_them:
            turns[one.name].append(await turn(one, seconds))
    return {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for name, found in turns.items()
    }


async def turn(one: Contestant, seconds: float) -> dict[str, float]:
    if one.rows > 1:
        flow = await load.saturate(one.target, BATCHES, seconds)
        return {"samples_per_second": one.rows * flow.per_second} | percentiles("", flow)
    alone = await load.saturate(one.target, 1, seconds / 2)
    full = await load.saturate(one.target, CONNECTIONS, seconds)
    half = await load.at_rate(one.target, full.per_second / 2, CONNECTIONS, seconds)
    figures = {"calls_per_second": full.per_second}
    return figures | percentiles("alone_", alone) | percentiles("half_", half)


def percentiles(prefix: str, flow: Flow) -> dict[str, float]:
    return {f"{prefix}p{percent}_ms": flow.percentile_ms(percent) for percent in PERCENTS}


def report(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The figures beside their floors, and which of them fall short."""
    batched = max(
        each["samples_per_second"]
        for name, each in figures.items()
        if "samples_per_second" in each and not name.startswith("peer")
    )
    reached = {
        "over_nothing_ms": figures["predict"]["alone_p50_ms"] - figures["nothing"]["alone_p50_ms"],
        "p99_ms": figures["predict"]["half_p99_ms"],
        "samples_per_second": batched,
    }
    short = [
        name
        for name, floor in FLOORS.items()
        if (reached[name] < floor if name == "samples_per_second" else reached[name] > floor)
    ]
    ratios = {
        name: figures[name][key] / figures[peer][key]
        for name, peer, key in (
            ("predict", "peer", "calls_per_second"),
            ("predict, many rows", "peer, many rows", "samples_per_second"),
            ("infer, bytes, many rows", "peer, many rows", "samples_per_second"),
        )
        if peer in figures and name in figures
    }
    return {
        "peer": "FastAPI and ONNX Runtime" if ratios else None,
        "figures": figures,
        "floors": FLOORS,
        "reached": reached,
        "below_floor": short,
        "times_the_peer": ratios,
    }

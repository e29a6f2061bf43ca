"""One row answered in this process, against ONNX Runtime with the same model."""

import importlib
import importlib.util
from typing import Any

from kernels import build
from kernels.bench.models import Exported, exported
from kernels.bench.turns import Turn, in_turns, repeated
from kernels.bench.workloads import WORKLOADS
from kernels.predictor import Predictor

FLOOR, GOAL = 1 / 2.5, 1 / 1.5
TURN_SECONDS = 0.01


def measure() -> dict[str, Any]:
    """Microseconds of one row; `ratio` is how many times as long ONNX Runtime takes."""
    has_peer = importlib.util.find_spec("onnxruntime") is not None
    rows = [measure_model(exported(workload), has_peer) for workload in WORKLOADS]
    peer = "ONNX Runtime" if has_peer else None
    return {"peer": peer, "floor": FLOOR, "goal": GOAL, "rows": rows}


def measure_model(model: Exported, has_peer: bool) -> dict[str, Any]:
    contestants = {"here": our_turn(model)} | ({"peer": runtime_turn(model)} if has_peer else {})
    seconds = in_turns(contestants)
    peer = seconds.get("peer")
    return {
        "name": model.name,
        "here_us": 1e6 * seconds["here"],
        "peer_us": None if peer is None else 1e6 * peer,
        "ratio": None if peer is None else peer / seconds["here"],
    }


def lines(found: dict[str, Any]) -> list[str]:
    peer = found["peer"] or "ONNX Runtime, which is not installed here"
    text = [f"one row predicted in process against {peer}"]
    for row in found["rows"]:
        other = "" if row["ratio"] is None else (
            f"  {found['peer']} {row['peer_us']:8.1f} µs: {row['ratio']:5.2f} times as long"
        )  # fmt: skip
        text.append(f"  {row['name']:<48} {row['here_us']:8.1f} µs{other}")
    return text


def our_turn(model: Exported) -> Turn:
    predictor = Predictor(model.file, module=build.module(), limits=model.limits)
    row = model.rows[:1]

    def work(times: int) -> None:
        for _ in range(times):
            predictor.predict(row)

    return repeated(work, TURN_SECONDS)


def runtime_turn(model: Exported) -> Turn:
    runtime = importlib.import_module("onnxruntime")  # a yardstick, never needed to run
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(model.onnx, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    row = model.rows[:1].astype("int64" if "int64" in given.type else model.rows.dtype)

    def work(times: int) -> None:
        for _ in range(times):
            session.run(None, {given.name: row})

    return repeated(work, TURN_SECONDS)

"""Times a model in a process of its own: `python -m training.runner.stopwatch MODEL ROWS`.

A fresh process, so that peak memory is this model's (Linux counts it) and nothing else runs in it.
By the rules of MLPerf inference, on a monotonic clock, after a warm-up that is not counted:

    single stream  one row after the other, the next when the last is answered
    server         rows come by themselves (Poisson) at 50 and 80 % of what single stream can do;
                   a latency counts from when a row was due, so waiting in a queue is part of it
    batches        rows per second by 1, 8 and 32 at once
    cold start     from the bytes of the module and the model to the first answer

2,010 calls are the fewest that support a p99 with ten samples above it. A network too slow for them
is timed for as long as is allowed; below 459 calls there is no p99 (its 99 % confidence needs as
many), below 90 no p95. How busy the machine was is kept beside the figures: where more wanted to
run than there are processors, latencies are too high. Prints one JSON object.
"""

import json
import math
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import build
from kernels.predictor import Predictor
from training.runner import walls

WARM_UP_CALLS = 200
WARM_UP_SECONDS = 1.0
TIMED_CALLS = 2_010
TIMED_SECONDS = 15.0
LEAST_CALLS = {50: 1, 95: 90, 99: 459}
LOADS = (0.5, 0.8)
BATCHES = (1, 8, 32)
BATCH_ROWS = 32
BATCH_CALLS = 200
BATCH_SECONDS = 2.0
SEED = 0
BINS = 24
THREADS_SLACK = 0.2  # of a thread: what looks after a process takes some time, too
MEGABYTE = 1_000_000

Milliseconds = NDArray[np.float64]


def resident_bytes(field: str) -> int:
    """`VmRSS`, what this process has in memory now, or `VmHWM`, the most since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {field}")


def forget_peak() -> None:
    """Let the peak begin anew: importing and compiling took more than any small model does."""
    Path("/proc/self/clear_refs").write_text("5")


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def warm_up(predictor: Predictor, rows: NDArray[Any]) -> int:
    """How many calls were made and not counted."""
    until = time.perf_counter() + WARM_UP_SECONDS
    for call in range(WARM_UP_CALLS):
        predictor.predict(rows[call % len(rows)][None])
        if time.perf_counter() > until:
            return call + 1
    return WARM_UP_CALLS


def time_single_rows(predictor: Predictor, rows: NDArray[Any]) -> Milliseconds:
    """Of each call, one row a call."""
    taken: list[int] = []
    until = time.perf_counter_ns() + int(TIMED_SECONDS * 1e9)
    while len(taken) < TIMED_CALLS:
        row = rows[len(taken) % len(rows)][None]
        started_at = time.perf_counter_ns()
        predictor.predict(row)
        ended_at = time.perf_counter_ns()
        taken.append(ended_at - started_at)
        if ended_at > until:
            break
    return np.array(taken) / 1e6


def time_arrivals(predictor: Predictor, rows: NDArray[Any], *, per_second: float) -> Milliseconds:
    """Of each row that comes by itself, from when it was due; rows wait while another is answered.

    The gaps between them are exponential, so arrivals are a Poisson process.
    """
    gaps = np.random.default_rng(SEED).exponential(1e9 / per_second, TIMED_CALLS)
    taken: list[int] = []
    begun_at = time.perf_counter_ns()
    for call, due in enumerate(np.cumsum(gaps).astype(np.int64).tolist()):
        while time.perf_counter_ns() < begun_at + due:
            pass
        predictor.predict(rows[call % len(rows)][None])
        ended_at = time.perf_counter_ns()
        taken.append(ended_at - begun_at - due)
        if ended_at - begun_at > TIMED_SECONDS * 1e9:
            break
    return np.array(taken) / 1e6


def time_batches(predictor: Predictor, rows: NDArray[Any], *, batch_rows: int) -> float:
    """Rows per second in batches."""
    batch = rows[np.arange(batch_rows) % len(rows)]
    calls, seconds = 0, 0.0
    started_at = time.perf_counter()
    while calls < BATCH_CALLS and seconds < BATCH_SECONDS:
        predictor.predict(batch)
        calls += 1
        seconds = time.perf_counter() - started_at
    return calls * batch_rows / seconds


class Watch:
    """What the machine and this process did while something was timed."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0]
        self.process_ns, self.thread_ns = time.process_time_ns(), time.thread_time_ns()

    @property
    def threads(self) -> int:
        """How many computed, by the processor time of all against that of the one that asked."""
        ours = max(1, time.thread_time_ns() - self.thread_ns)
        return max(1, math.ceil((time.process_time_ns() - self.process_ns) / ours - THREADS_SLACK))

    def busy(self) -> dict[str, Any]:
        """The load of the last minute, the higher of before and after, and what there is for it."""
        load, processors = max(self.load, os.getloadavg()[0]), os.cpu_count() or 1
        return {"load": load, "processors": processors, "is_loaded": load > processors}


def percentiles(taken: Milliseconds) -> dict[str, float | None]:
    """p50, p95 and p99 of calls, each only where they are enough for it."""
    return {
        f"latency_p{name}_ms": float(np.percentile(taken, name)) if len(taken) >= least else None
        for name, least in LEAST_CALLS.items()
    }


def histogram(taken: Milliseconds) -> dict[str, Any]:
    edges = np.geomspace(taken.min(), np.percentile(taken, 99.5), BINS + 1)
    return {"edges_ms": edges.tolist(), "calls": np.histogram(taken, edges)[0].tolist()}


def measure(model: bytes, rows: NDArray[Any]) -> dict[str, Any]:
    begun_at = time.perf_counter()
    module = build.module()
    first = Predictor(model, module=module, limits=walls.PREDICTION)
    first.predict(rows[:1])
    cold_ms = (time.perf_counter() - begun_at) * 1e3
    del first  # the compiled module stays; it is not the model's memory
    forget_peak()
    before_bytes = resident_bytes("VmRSS")
    predictor = Predictor(model, module=module, limits=walls.PREDICTION)
    warm_up_calls = warm_up(predictor, rows)
    watch = Watch()
    taken = time_single_rows(predictor, rows)
    threads = watch.threads
    capacity = 1e3 / float(taken.mean())
    arrivals = {load: time_arrivals(predictor, rows, per_second=load * capacity) for load in LOADS}
    batches = {n: time_batches(predictor, rows, batch_rows=n) for n in BATCHES}
    peak_bytes = resident_bytes("VmHWM") - before_bytes
    profile = predictor.profile(BATCH_ROWS).to_json()
    return percentiles(taken) | {
        "samples_per_second": batches[BATCH_ROWS],
        "peak_memory_mb": peak_bytes / MEGABYTE,
        "sandbox_memory_mb": predictor.peak_memory_bytes / MEGABYTE,
        "mean_latency_ms": float(taken.mean()),
        "cold_start_ms": cold_ms,
        "histogram": histogram(taken),
        "server": [
            {"load": load, "per_second": load * capacity, "calls": len(found)}
            | percentiles(found)
            | {"histogram": histogram(found)}
            for load, found in arrivals.items()
        ],
        "throughput": [
            {"batch_rows": batch_rows, "rows_per_second": found}
            for batch_rows, found in batches.items()
        ],
        "profile": {name: profile[name] for name in ("rows", "step_us", "ops", "layers")},
        "environment": {
            "processor": processor(),
            "system": f"{platform.system()} {platform.machine()}",
            "threads": threads,
            "simd": "128 bits" if module.variant == "simd" else "none",
            "wasmtime": version("wasmtime"),
            "python": platform.python_version(),
            "kernel_hash": module.kernel_hash,
            "warm_up_calls": warm_up_calls,
            "timed_calls": len(taken),
            "batch_rows": BATCH_ROWS,
            **watch.busy(),
        },
    }


if __name__ == "__main__":
    model_path, rows_path = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(Path(model_path).read_bytes(), np.load(rows_path))))

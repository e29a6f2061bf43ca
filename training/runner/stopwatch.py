"""Times a model in a process of its own: `python -m training.runner.stopwatch MODEL ROWS`.

A fresh process, so that peak memory is this model's (Linux counts it) and nothing else runs in it.
Single rows are timed one after the other on a monotonic clock, after a warm-up that is not counted.
2,010 calls are the fewest that support a p99 with ten samples above it. Prints one JSON object.
"""

import json
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
TIMED_CALLS = 2_010
BATCH_ROWS = 32
BATCHES = 200
BINS = 24
MEGABYTE = 1_000_000


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


def time_single_rows(predictor: Predictor, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Milliseconds of each call, one row a call."""
    for call in range(WARM_UP_CALLS):
        predictor.predict(rows[call % len(rows)][None])
    taken = np.empty(TIMED_CALLS)
    for call in range(TIMED_CALLS):
        row = rows[call % len(rows)][None]
        started_at = time.perf_counter_ns()
        predictor.predict(row)
        taken[call] = (time.perf_counter_ns() - started_at) / 1e6
    return taken


def time_batches(predictor: Predictor, rows: NDArray[np.float32]) -> float:
    """Rows per second in batches."""
    batch = rows[np.arange(BATCH_ROWS) % len(rows)]
    started_at = time.perf_counter()
    for _ in range(BATCHES):
        predictor.predict(batch)
    return BATCHES * BATCH_ROWS / (time.perf_counter() - started_at)


def measure(model: bytes, rows: NDArray[np.float32]) -> dict[str, Any]:
    module = build.module()
    Predictor(
        model, module=module, limits=walls.PREDICTION
    )  # compiles the module, which is not the model's memory
    forget_peak()
    before_bytes = resident_bytes("VmRSS")
    predictor = Predictor(model, module=module, limits=walls.PREDICTION)
    taken = time_single_rows(predictor, rows)
    samples_per_second = time_batches(predictor, rows)
    peak_bytes = resident_bytes("VmHWM") - before_bytes
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    profile = predictor.profile(BATCH_ROWS).to_json()
    edges = np.geomspace(taken.min(), np.percentile(taken, 99.5), BINS + 1)
    return {
        "latency_p50_ms": float(p50),
        "latency_p95_ms": float(p95),
        "latency_p99_ms": float(p99),
        "samples_per_second": samples_per_second,
        "peak_memory_mb": peak_bytes / MEGABYTE,
        "sandbox_memory_mb": predictor.peak_memory_bytes / MEGABYTE,
        "histogram": {"edges_ms": edges.tolist(), "calls": np.histogram(taken, edges)[0].tolist()},
        "profile": {name: profile[name] for name in ("rows", "step_us", "ops", "layers")},
        "environment": {
            "processor": processor(),
            "wasmtime": version("wasmtime"),
            "python": platform.python_version(),
            "kernel_hash": module.kernel_hash,
            "warm_up_calls": WARM_UP_CALLS,
            "timed_calls": TIMED_CALLS,
            "batch_rows": BATCH_ROWS,
        },
    }


if __name__ == "__main__":
    model_path, rows_path = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(Path(model_path).read_bytes(), np.load(rows_path))))

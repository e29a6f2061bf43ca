"""How fast: one training step against PyTorch and against the scalar module, and the limit.

All contestants take turns within one run, on one thread each, and medians are compared, so that a
machine that slows down slows all of them. The limit is what multiply and add on vectors reach in
the same sandbox when nothing has to be loaded.
"""

import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import wasmtime

from kernels import build, config, ops, runtime
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.runtime import Sandbox
from kernels.trainer import Trainer, TrainingData

ROWS, FEATURES, HIDDEN, CLASSES, BATCH = 1_280, 64, 128, 10, 32
ROUNDS = 15
EPOCHS_PER_TURN = 10  # 400 steps: long enough to be back in the caches that the others emptied
SHAPES = ((32, 64, 128), (128, 128, 128), (512, 512, 512))
PRODUCT_FLOPS = 2e7  # a turn of at least this many: about a millisecond
NUMPY_CHILD = """
import json, sys, time
import numpy as np
found = []
for m, k, n, repeats, rounds in json.loads(sys.argv[1]):
    a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(repeats):
            a @ b
        times.append((time.perf_counter() - begin) / repeats)
    found.append(sorted(times)[len(times) // 2])
print(json.dumps(found))
"""


def measure() -> dict[str, Any]:
    """Microseconds per step and GFLOP/s, medians; ratios above 1 mean the SIMD module wins."""
    step = measure_step()
    peak_gflops = measure_peak()
    return {
        "kernel_hash": build.module().kernel_hash,
        "step": step,
        "matmul": measure_products(peak_gflops),
        "peak_gflops": peak_gflops,
    }


# ------------------------------------------------------------------------------- the training step


def measure_step() -> dict[str, Any]:
    """One step of a 64-128-10 network: gather 32 rows, forward, loss, backward, Adam."""
    data = random_data()
    contestants: dict[str, Callable[[], float]] = {
        "simd": sandboxed_steps("simd", data),
        "scalar": sandboxed_steps("scalar", data),
    }
    if importlib.util.find_spec("torch") is not None:
        contestants["torch"] = torch_steps(data)
    medians = in_turns(contestants)
    microseconds = {name: seconds * 1e6 for name, seconds in medians.items()}
    torch = microseconds.get("torch")
    return {
        "network": f"{FEATURES}-{HIDDEN}-{CLASSES}",
        "batch": BATCH,
        "simd_us": microseconds["simd"],
        "scalar_us": microseconds["scalar"],
        "torch_us": torch,
        "times_scalar": microseconds["scalar"] / microseconds["simd"],
        "times_torch": None if torch is None else torch / microseconds["simd"],
    }


def in_turns(contestants: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median seconds of each, over rounds in which each has its turn. The first is warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, contestant in contestants.items():
            seconds = contestant()
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(found) for name, found in times.items()}


def random_data() -> TrainingData:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, ROWS).astype(np.int32)
    return TrainingData(rows, labels, rows[:0], labels[:0])


def sandboxed_steps(variant: build.Variant, data: TrainingData) -> Callable[[], float]:
    raw = {
        "architecture": {
            "type": "feedforward",
            "layers": [{"type": "dense", "units": HIDDEN, "activation": "relu"}],
        },
        "training": {
            "epochs": 10_000,
            "batch_size": BATCH,
            "learning_rate": 0.001,
            "optimizer": "adam",
        },
    }
    settings = config.parse(raw, features=FEATURES, classes=CLASSES)
    trainer = Trainer(settings, data, seed=1, module=build.module(variant))

    def turn(steps: int = EPOCHS_PER_TURN * trainer.steps_per_epoch) -> float:
        begin = time.perf_counter()
        list(trainer.run(steps=steps))
        return (time.perf_counter() - begin) / steps

    return turn


def torch_steps(data: TrainingData) -> Callable[[], float]:
    """The same step in PyTorch, eager, as its own tutorials write it."""
    torch = importlib.import_module("torch")  # a yardstick, never needed to run
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rows = torch.from_numpy(data.train_rows)
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    network = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES)
    )
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)

    def turn() -> float:
        begin = time.perf_counter()
        for _ in range(EPOCHS_PER_TURN):
            for batch in torch.randperm(ROWS).split(BATCH):
                optimizer.zero_grad()
                criterion(network(rows[batch]), labels[batch]).backward()
                optimizer.step()
        return (time.perf_counter() - begin) / (EPOCHS_PER_TURN * ROWS // BATCH)

    return turn


# ------------------------------------------------------------------------------ products and limit


def measure_products(peak_gflops: float) -> list[dict[str, Any]]:
    """GFLOP/s of square and small products: both modules, and NumPy on one thread."""
    numpy_seconds = numpy_products()
    found = []
    for shape, numpy_time in zip(SHAPES, numpy_seconds, strict=True):
        m, k, n = shape
        giga = 2 * m * k * n / 1e9
        medians = in_turns({v: product_turn(v, shape) for v in build.VARIANT_FLAGS})
        simd = giga / medians["simd"]
        found.append(
            {
                "shape": list(shape),
                "simd_gflops": simd,
                "scalar_gflops": giga / medians["scalar"],
                "numpy_gflops": giga / numpy_time,
                "share_of_peak": simd / peak_gflops,
            }
        )
    return found


def repeats_of(shape: Sequence[int]) -> int:
    m, k, n = shape
    return max(1, round(PRODUCT_FLOPS / (2 * m * k * n)))


def product_turn(variant: build.Variant, shape: Sequence[int]) -> Callable[[], float]:
    m, k, n = shape
    a, b, out = leaf("a", (m, k)), leaf("b", (k, n)), leaf("out", (m, n))
    node = ops.apply("matmul_nn", a, b)
    sandbox = Sandbox(
        build.module(variant), compile_programs({"main": Program([node], {node: out})}), Limits()
    )
    sandbox.array(a)[...] = sandbox.array(b)[...] = 1
    repeats = repeats_of(shape)

    def turn() -> float:
        begin = time.perf_counter()
        sandbox.call("main", 0, repeats)
        return (time.perf_counter() - begin) / repeats

    return turn


def numpy_products() -> list[float]:
    """Seconds of each product in a process of its own, where its library may use one thread."""
    asked = [[*shape, repeats_of(shape), ROUNDS] for shape in SHAPES]
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    # the command is ours from first to last word
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", NUMPY_CHILD, json.dumps(asked)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(ran.stdout))


def measure_peak(chains: int = 12, loops: int = 100_000) -> float:
    """GFLOP/s of multiply and add on vectors that stay in registers, in the same engine."""
    names = [f"$x{chain}" for chain in range(chains)]
    # x = x * c + d settles at d / (1 - c): no overflow, and no number so small that it is slow
    steps = " ".join(
        f"(local.set {x} (f32x4.add (f32x4.mul (local.get {x}) (local.get $c)) (local.get $d)))"
        for x in names
    )
    result = "(local.get $x0)"
    for x in names[1:]:
        result = f"(f32x4.add {result} (local.get {x}))"
    text = f"""(module (func (export "peak") (param $n i32) (result f32)
        (local $c v128) (local $d v128) {" ".join(f"(local {x} v128)" for x in names)}
        (local.set $c (f32x4.splat (f32.const 0.75)))
        (local.set $d (f32x4.splat (f32.const 0.5)))
        (loop $again {steps}
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n)))
        (f32x4.extract_lane 0 {result})))"""
    store = wasmtime.Store(runtime.engine())
    compiled = wasmtime.Module(runtime.engine(), bytes(wasmtime.wat2wasm(text)))
    peak = wasmtime.Instance(store, compiled, []).exports(store)["peak"]
    assert isinstance(peak, wasmtime.Func)

    def turn() -> float:
        begin = time.perf_counter()
        peak(store, loops)
        return time.perf_counter() - begin

    seconds = in_turns({"peak": turn})["peak"]
    return 2 * 4 * chains * loops / seconds / 1e9

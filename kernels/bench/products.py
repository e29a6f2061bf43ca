"""Matrix products against the limit: what multiply and add on vectors reach in the same sandbox
when nothing has to be loaded.
"""

from collections.abc import Sequence
from typing import Any

import wasmtime

from kernels import build, ops, runtime
from kernels.bench.turns import Turn, in_turns, repeated
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.runtime import Sandbox

SHAPES = ((256, 256, 256), (384, 384, 384), (768, 768, 768))
FLOOR, GOAL = 0.7, 0.9
CHAINS = 12  # sums that are independent of each other, so that none waits for the one before


def measure() -> dict[str, Any]:
    """GFLOP/s of products (m, k, n), and the share of the peak each reaches."""
    contestants = {"peak": peak_turn()} | {
        "x".join(map(str, shape)): product_turn("simd", shape) for shape in SHAPES
    }
    seconds = in_turns(contestants)
    peak = 1e-9 / seconds["peak"]
    rows = []
    for name, (m, k, n) in zip(list(contestants)[1:], SHAPES, strict=True):
        gflops = 2e-9 * m * k * n / seconds[name]
        rows.append({"name": name, "gflops": gflops, "ratio": gflops / peak})
    return {"peak_gflops": peak, "floor": FLOOR, "goal": GOAL, "rows": rows}


def lines(found: dict[str, Any]) -> list[str]:
    text = [f"matrix products; multiply and add in registers reach {found['peak_gflops']:.1f} "
            "GFLOP/s"]  # fmt: skip
    return text + [
        f"  {row['name']:<24} {row['gflops']:8.1f} GFLOP/s  {row['ratio']:6.1%} of it"
        for row in found["rows"]
    ]


def product_turn(variant: build.Variant, shape: Sequence[int]) -> Turn:
    m, k, n = shape
    a, b, out = leaf("a", (m, k)), leaf("b", (k, n)), leaf("out", (m, n))
    program = Program([node := ops.apply("matmul_nn", a, b)], {node: out})
    sandbox = Sandbox(build.module(variant), compile_programs({"main": program}), Limits())
    sandbox.array(a)[...] = sandbox.array(b)[...] = 1
    return repeated(lambda repeats: require(sandbox.call("main", 0, repeats), repeats))


def require(done: int, asked: int) -> None:
    assert done == asked, f"{done} of {asked} steps were done"


def peak_turn(loops: int = 100_000) -> Turn:
    """Seconds for one operation of a module that only multiplies and adds."""
    names = [f"$x{chain}" for chain in range(CHAINS)]
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
    turn = repeated(lambda repeats: calls(peak, store, loops, repeats))
    return lambda: turn() / (2 * 4 * CHAINS * loops)


def calls(function: wasmtime.Func, store: wasmtime.Store, argument: int, times: int) -> None:
    for _ in range(times):
        function(store, argument)

"""The sandbox's walls: memory, time, features; and what is left after hitting one."""

import ctypes
import ctypes.util
import platform
from itertools import pairwise

import numpy as np
import pytest
import wasmtime

from kernels import runtime
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import DeadlineExceeded, Limits, OutOfMemory, SandboxError
from kernels.ops import apply
from kernels.runtime import Sandbox


def doubling(elements=4):
    """A program that adds x to itself."""
    x = leaf("x", (elements,))
    node = apply("sum", x, x)
    return x, compile_programs({"main": Program([node], {node: x})})


def test_memory_is_bounded_by_the_store_itself(module):
    _, plan = doubling(elements=1_000_000)
    with pytest.raises(OutOfMemory, match="needs 4,0.* bytes, may use 2,000,000; take a smaller"):
        Sandbox(module, plan, Limits(memory_bytes=2_000_000))
    with pytest.raises(OutOfMemory, match="do not hold the module"):
        Sandbox(module, plan, Limits(memory_bytes=60_000))
    assert Sandbox(module, plan, Limits(memory_bytes=5_000_000)).memory_bytes <= 5_000_000


def test_the_module_cannot_grow_its_memory_past_the_limit(module):
    """Even if our own check were wrong: the Store refuses."""
    _, plan = doubling()
    sandbox = Sandbox(module, plan, Limits(memory_bytes=2**20))
    instance = sandbox._live()
    with pytest.raises(wasmtime.WasmtimeError):
        instance.memory.grow(instance.store, 64)


def test_computing_past_the_deadline_is_stopped_between_two_calls(module):
    x, plan = doubling(elements=100_000)
    sandbox = Sandbox(module, plan, Limits(deadline_seconds=0.05))
    with pytest.raises(DeadlineExceeded, match=r"stopped after 0.05 s of computing"):
        sandbox.run("main", 0, 1_000_000)
    with pytest.raises(SandboxError, match="discarded"):
        sandbox.run("main", 0, 1)
    with pytest.raises(SandboxError, match="discarded"):
        sandbox.array(x)


def test_an_array_outlives_its_sandbox(module):
    x, plan = doubling()
    kept = Sandbox(module, plan, Limits()).array(x)
    for _ in range(20):
        Sandbox(module, plan, Limits())
    kept[...] = 1.5
    assert kept.tolist() == [1.5] * 4


@pytest.mark.parametrize(("step_seconds", "fitting"), [(50e-6, 1_000), (1e-3, 50), (0.2, 1)])
def test_calls_are_sized_to_a_twentieth_of_a_second(module, monkeypatch, step_seconds, fitting):
    """Whatever a step takes, by a clock that says it: growing at most twofold from call to call."""
    _, plan = doubling()
    sandbox = Sandbox(module, plan, Limits())
    asked = [sandbox.call_steps("main", 10**9)]
    for _ in range(20):
        clock = iter([0.0, asked[-1] * step_seconds])
        monkeypatch.setattr(runtime.time, "perf_counter", clock.__next__)
        sandbox.call("main", 0, asked[-1])
        asked.append(sandbox.call_steps("main", 10**9))
    assert asked[0] == 1
    assert all(after <= 2 * before for before, after in pairwise(asked))
    assert asked[-1] == pytest.approx(fitting, abs=1)
    assert sandbox.call_steps("main", 3) == min(3, asked[-1])


def test_how_calls_are_cut_changes_nothing(module):
    x, plan = doubling()
    first, second = (Sandbox(module, plan, Limits()) for _ in range(2))
    for sandbox in (first, second):
        sandbox.array(x)[...] = [1, 2, 3, np.float32(1e-30)]
    first.run("main", 0, 50)
    for _ in range(50):
        second.call("main", 0, 1)
    assert first.array(x).tolist() == second.array(x).tolist()


@pytest.fixture
def processor_mode():
    """Sets the rounding and flushing bits of this thread, and puts them back."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        pytest.skip("the layout of the floating-point environment is that of x86-64 Linux")
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    kept = (ctypes.c_uint32 * 8)()
    library.fegetenv(kept)

    def switch(bits):
        changed = (ctypes.c_uint32 * 8)(*kept)
        changed[7] |= bits  # the control word of the vector unit
        library.fesetenv(changed)

    yield switch
    library.fesetenv(kept)


@pytest.mark.parametrize(
    "bits", [0x8000, 0x0040, 0x2000, 0x4000, 0x6000], ids=["flush", "drop", "down", "up", "cut"]
)
def test_a_thread_in_another_arithmetic_mode_is_refused(bits, processor_mode, simd):
    _, plan = doubling()
    sandbox = Sandbox(simd, plan, Limits())
    sandbox.call("main", 0, 1)
    processor_mode(bits)
    with pytest.raises(SandboxError, match="another mode than IEEE 754"):
        sandbox.call("main", 1, 1)
    processor_mode(0)
    sandbox.call("main", 1, 1)


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("imports", '(module (import "env" "f" (func)))'),
        ("two memories", "(module (memory 1) (memory 1))"),
        ("shared memory", "(module (memory 1 1 shared))"),
        ("64-bit memory", "(module (memory i64 1))"),
        (
            "relaxed simd",
            "(module (func (param v128 v128 v128) (result v128) local.get 0 local.get 1 "
            "local.get 2 f32x4.relaxed_madd))",
        ),
        ("exceptions", "(module (tag $e) (func (throw $e)))"),
        ("tail calls", "(module (func $f (return_call $f)))"),
    ],
)
def test_features_the_kernels_do_not_use_are_off(feature, text):
    engine = runtime.engine()
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Instance(
            wasmtime.Store(engine), wasmtime.Module(engine, wasmtime.wat2wasm(text)), []
        )


def test_the_stack_is_bounded():
    engine = runtime.engine()
    text = """(module (func $f (export "f") (param i64)
        (call $f (local.get 0)) (call $f (local.get 0))))"""
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, wasmtime.wat2wasm(text)), [])
    with pytest.raises(wasmtime.Trap) as caught:
        instance.exports(store)["f"](store, 1)
    assert caught.value.trap_code == wasmtime.TrapCode.STACK_OVERFLOW

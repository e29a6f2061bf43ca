"""The sandbox: one module instance that runs one tape within limits, thrown away after any fault.

The module imports nothing, so what runs inside reaches its own memory and nothing else. The walls:

- memory: the Store refuses to grow past `Limits.memory_bytes` (OutOfMemory);
- work: a tape is verified before it runs, and no step of it may do more than `Limits.step_work`
  (TapeRefused);
- time: calls are cut to about CALL_SECONDS by the measured pace, and the deadline is looked at
  between them (DeadlineExceeded). How calls are cut never changes a bit of a result;
- traps: an index out of range, an unknown opcode, an exhausted stack (Trapped).

After any of these the Store is discarded: one that trapped is not used again.

Why NaN canonicalisation is off: it makes the payload bits of NaN alike on all machines, and costs
2.6 times the time of a matrix product (16 instead of 42 GFLOP/s where it was measured). Those bits
are of no use here: a loss that is not a number stops training, weights and probabilities that are
not finite are refused, so no NaN ever leaves.
"""

import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
import wasmtime
from numpy.typing import NDArray

from kernels.build import Module
from kernels.compiler import Plan
from kernels.entry import Entry
from kernels.graph import Node
from kernels.limits import DeadlineExceeded, Limits, OutOfMemory, SandboxError, Trapped
from kernels.placement import address_of
from kernels.tape import Tape, verify

PAGE_BYTES = 65_536
CALL_SECONDS = 0.05
STACK_BYTES = 256 * 1024
DTYPES: dict[str, np.dtype[Any]] = {
    "f4": np.dtype("<f4"),
    "u4": np.dtype("<u4"),
    "i1": np.dtype("i1"),
}


class Sandbox:
    """A plan, loaded: named memory that can be filled and read, and programs that can be run."""

    def __init__(self, module: Module, plan: Plan, limits: Limits) -> None:
        """Raises TapeRefused or OutOfMemory."""
        verify(plan.tape, limits.step_work)
        self.plan = plan
        self.limits = limits
        self._seconds_left = limits.deadline_seconds
        self._paces: dict[str, _Pace] = {}
        self._instance: _Instance | None = _Instance(module, plan.tape, limits)

    def array(self, node: Node) -> NDArray[Any]:
        """The memory of a leaf or a view: writable, alive as long as the sandbox."""
        address, shape = address_of(node, self.plan.addresses), node.shape or ()
        held = self._live().held(address, node.size_bytes)
        return held.view(DTYPES[node.dtype]).reshape(shape)

    @property
    def arena(self) -> NDArray[np.uint8]:
        """All of the tape's memory, as bytes."""
        return self._live().held(0, self.plan.tape.arena_bytes)

    @property
    def memory_bytes(self) -> int:
        """What the instance holds; it never shrinks, so this is its peak."""
        return self._live().memory_bytes

    def run(self, program: str, first: int, steps: int, rows: int = 1) -> int:
        """Steps first .. first + steps - 1; answers how many were done.

        Fewer than asked means that the loss of the next one is not a number. Takes as many calls
        as the pace wants. Raises Trapped or DeadlineExceeded.
        """
        done = 0
        while done < steps:
            asked = self.call_steps(program, steps - done)
            finished = self.call(program, first + done, asked, rows)
            done += finished
            if finished < asked:
                break
        return done

    def call_steps(self, program: str, most: int) -> int:
        """How many steps fill one call."""
        return min(most, self._paces.setdefault(program, _Pace()).steps)

    def call(self, program: str, first: int, steps: int, rows: int = 1) -> int:
        """One call into the module; answers how many of the steps were done."""
        instance = self._live()
        check_arithmetic()
        if self._seconds_left <= 0:
            self._instance = None
            raise DeadlineExceeded(f"stopped after {self.limits.deadline_seconds:g} s of computing")
        begin = time.perf_counter()
        try:
            done = instance.run(self.plan.programs[program], first, steps, rows)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._instance = None
            reason = str(error).strip().splitlines()[-1].strip()
            raise Trapped(f"{program}, steps {first} to {first + steps - 1}: {reason}") from error
        seconds = time.perf_counter() - begin
        self._seconds_left -= seconds
        self._paces.setdefault(program, _Pace()).learn(steps, seconds)
        return done

    def discard(self) -> None:
        """Let go of it: it was one of several, of which another had a fault."""
        self._instance = None

    def _live(self) -> "_Instance":
        if self._instance is None:
            raise SandboxError("this sandbox was discarded after a fault; make a new one")
        return self._instance


class _Pace:
    """How many steps one call should take, from how long the last ones took."""

    def __init__(self) -> None:
        self.steps = 1

    def learn(self, steps: int, seconds: float) -> None:
        fitting = int(CALL_SECONDS * steps / max(seconds, 1e-7))
        # at most double, since the first steps of a program may be quicker than the others
        self.steps = max(1, min(fitting, 2 * steps))


class _Instance:
    """The module in its Store: static data and stack, then the tape, then the arena."""

    def __init__(self, module: Module, tape: Tape, limits: Limits) -> None:
        self.store = wasmtime.Store(engine())
        self.store.set_limits(
            memory_size=limits.memory_bytes, table_elements=16, instances=1, tables=1, memories=1
        )
        try:
            exports = wasmtime.Instance(self.store, compiled(module.path), []).exports(self.store)
        except wasmtime.WasmtimeError as error:
            raise OutOfMemory(f"{limits.memory_bytes:,} bytes do not hold the module") from error
        memory, run, heap = exports["memory"], exports["run"], exports["__heap_base"]
        assert isinstance(memory, wasmtime.Memory)
        assert isinstance(run, wasmtime.Func)
        assert isinstance(heap, wasmtime.Global)
        self.memory, self.enter = memory, Entry(self.store, run)
        encoded = tape.encode()
        self.tape_at = aligned(int(heap.value(self.store)))
        self.arena_at = aligned(self.tape_at + len(encoded))
        self._reserve(self.arena_at + tape.arena_bytes, limits)
        self.bytes = self._bytes()
        self.bytes[self.tape_at : self.tape_at + len(encoded)] = np.frombuffer(encoded, np.uint8)

    @property
    def memory_bytes(self) -> int:
        return len(self.bytes)

    def held(self, address: int, size_bytes: int) -> NDArray[np.uint8]:
        begin = self.arena_at + address
        return self.bytes[begin : begin + size_bytes]

    def run(self, program: int, first: int, steps: int, rows: int) -> int:
        return self.enter(self.tape_at, program, self.arena_at, first, steps, rows)

    def _bytes(self) -> NDArray[np.uint8]:
        """All of the memory. It never moves, since it does not grow any more; arrays made from it
        hold the Store, so they outlive the sandbox without dangling."""
        buffer = self.memory.get_buffer_ptr(self.store)
        buffer.store = self.store  # type: ignore[attr-defined]  # a ctypes array takes attributes
        return np.frombuffer(memoryview(buffer).cast("B"), np.uint8)

    def _reserve(self, needed_bytes: int, limits: Limits) -> None:
        if needed_bytes > limits.memory_bytes:
            raise OutOfMemory(
                f"needs {needed_bytes:,} bytes, may use {limits.memory_bytes:,}; "
                "take a smaller network, batch or data set"
            )
        missing = needed_bytes - self.memory.data_len(self.store)
        if missing > 0:
            try:
                self.memory.grow(self.store, -(-missing // PAGE_BYTES))
            except wasmtime.WasmtimeError as error:
                raise OutOfMemory(f"{needed_bytes:,} bytes are not to be had") from error


def check_arithmetic() -> None:
    """SandboxError unless this thread computes as IEEE 754 says: to nearest, subnormals kept.

    WebAssembly promises both, but runs in the processor's mode as it finds it, and a library built
    for fast mathematics switches the mode of the thread that loads it.
    """
    epsilon, smallest = sys.float_info.epsilon, sys.float_info.min
    is_nearest = 1.0 + 0.25 * epsilon == 1.0 and 1.0 + 0.75 * epsilon == 1.0 + epsilon
    if not is_nearest or smallest / 2 * 2 != smallest:
        raise SandboxError(
            "this thread rounds or flushes numbers in another mode than IEEE 754's default; "
            "find the library that sets it, or compute in another process"
        )


def aligned(address: int) -> int:
    return -(-address // 64) * 64


def memory_bytes(tape: Tape) -> int:
    """What a sandbox for this tape takes at most; the last page may turn out not to be needed."""
    static_bytes = 2 * PAGE_BYTES  # the module's stack and constants
    return -(-(static_bytes + tape.encoded_bytes + tape.arena_bytes) // PAGE_BYTES) * PAGE_BYTES


Given = ParamSpec("Given")
Made = TypeVar("Made")


class Once(Generic[Given, Made]):
    """A function whose every answer is made one time, while all others who ask wait for it.

    `lru_cache` alone lets two threads make two engines, and what one engine compiled does not run
    in the other.
    """

    def __init__(self, make: Callable[Given, Made]) -> None:
        self._kept = lru_cache(maxsize=None)(make)
        self._lock = threading.Lock()

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Made:
        with self._lock:
            return self._kept(*args, **kwargs)  # type: ignore[arg-type]  # any Hashable, it says

    def cache_clear(self) -> None:
        with self._lock:
            self._kept.cache_clear()


@Once
def engine() -> wasmtime.Engine:
    """One engine for the process. Every feature that the module does not use is off."""
    config = wasmtime.Config()
    config.wasm_simd = True
    config.wasm_relaxed_simd = False
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.wasm_tail_call = False
    config.wasm_exceptions = False
    config.wasm_gc = False
    config.max_wasm_stack = STACK_BYTES
    config.cranelift_opt_level = "speed"
    return wasmtime.Engine(config)


@Once
def compiled(path: Path) -> wasmtime.Module:
    """The module as machine code, kept beside the module so that the next process need not compile.

    Machine code is believed only where nobody but us could have written it.
    """
    kept = path.with_suffix(".cwasm")
    if is_ours(path.parent) and is_ours(kept):
        try:
            return wasmtime.Module.deserialize_file(engine(), str(kept))
        except wasmtime.WasmtimeError:  # of another engine or another kind of processor
            kept.unlink(missing_ok=True)
    module = wasmtime.Module(engine(), path.read_bytes())
    if os.access(path.parent, os.W_OK):
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as fresh:
            fresh.write(module.serialize())
        Path(fresh.name).rename(kept)  # whole or not at all, whoever else writes it too
    return module


def is_ours(path: Path) -> bool:
    """Whether it belongs to this user and no other may write it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return is_plain and found.st_uid == os.geteuid() and not found.st_mode & 0o022

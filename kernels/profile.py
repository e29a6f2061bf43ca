"""Where the time of a step goes: each instruction of a program timed, by op and by layer.

Nothing is measured inside the sandbox, so what runs is what always runs. A second sandbox gets the
same memory and a tape on which each instruction is a program of its own. Walking the step in order,
an instruction is repeated until it can be timed, the cost of calling is taken off, what it wrote is
put back, and it runs once for those that follow. Repeated, its data lie in the nearest cache, so
the parts may add up to less than the whole step, which is timed too.

An instruction belongs to the layer whose parameters it reads or whose gradient it makes; what has
no parameters belongs to the layer it continues.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import ops
from kernels.autodiff import root
from kernels.build import Module
from kernels.compiler import Plan
from kernels.graph import Node, in_order
from kernels.runtime import Sandbox
from kernels.tape import PROGRAMS_LIMIT, Instruction, Tape, extents_bytes

TIMED_SECONDS = 200e-6
STEPS_MOST = 2**16
STEP_CALLS = 20
WHOLE_RUNS = 9
OUTSIDE = "training"  # what belongs to no layer: order of rows, optimiser
BLOCK = PROGRAMS_LIMIT - 2  # beside the whole program and an empty one
WHOLE, NOTHING = "whole", "nothing"


@dataclass(frozen=True)
class Timing:
    """One instruction: `bytes` are those of its operands, `share` its part of all instructions."""

    op: str
    layer: str
    sizes: Mapping[str, int]
    seconds: float
    flops: int
    bytes: int
    share: float

    @property
    def gflops(self) -> float:
        """Thousand million operations a second."""
        return 1e-9 * self.flops / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Profile:
    """A program for a number of rows; `step_seconds` is the median of the whole step."""

    program: str
    rows: int
    step_seconds: float
    timings: tuple[Timing, ...]

    @property
    def seconds(self) -> float:
        return sum(timing.seconds for timing in self.timings)

    def by_op(self) -> list[dict[str, Any]]:
        """Sums over the instructions of an op, the costliest first."""
        return self._sums("op")

    def by_layer(self) -> list[dict[str, Any]]:
        """Sums over the instructions of a layer, in the order of the network."""
        return self._sums("layer")

    def to_json(self) -> dict[str, Any]:
        return {
            "program": self.program,
            "rows": self.rows,
            "step_us": 1e6 * self.step_seconds,
            "instructions_us": 1e6 * self.seconds,
            "ops": self.by_op(),
            "layers": self.by_layer(),
            "instructions": [
                shown(timing) | {"op": timing.op, "layer": timing.layer, "sizes": timing.sizes}
                for timing in self.timings
            ],
        }

    def _sums(self, key: str) -> list[dict[str, Any]]:
        groups: dict[str, list[Timing]] = {}
        for timing in self.timings:
            groups.setdefault(getattr(timing, key), []).append(timing)
        found = [
            {key: name, "instructions": len(group)} | shown(total(group))
            for name, group in groups.items()
        ]
        return sorted(found, key=lambda row: -float(row["us"])) if key == "op" else found


def shown(timing: Timing) -> dict[str, Any]:
    return {
        "us": 1e6 * timing.seconds,
        "gflops": timing.gflops,
        "flops": timing.flops,
        "bytes": timing.bytes,
        "share": timing.share,
    }


def total(group: Sequence[Timing]) -> Timing:
    seconds, flops, size_bytes, share = (
        sum(getattr(timing, name) for timing in group)
        for name in ("seconds", "flops", "bytes", "share")
    )
    return Timing("", "", {}, seconds, int(flops), int(size_bytes), share)


def measure(
    sandbox: Sandbox, program: str, *, module: Module, step: int = 0, rows: int = 1
) -> Profile:
    """Where the time of one step of a program goes, with what is in the sandbox now.

    The sandbox itself is only read. Raises SandboxError where its limits do not allow a second one
    like it.
    """
    plan = sandbox.plan
    whole = plan.tape.programs[plan.programs[program]]
    layers = layers_of(plan, program)
    seconds: list[float] = []
    walk = Walk(module, sandbox, step, rows)
    for first in range(0, len(whole), BLOCK):
        walk.load(whole, whole[first : first + BLOCK])
        seconds += walk.timed(whole[first : first + BLOCK])
    walk.load(whole, ())
    step_seconds = walk.whole_seconds()
    everything = sum(seconds)
    timings = tuple(
        timing(instruction, layer, rows, spent, everything)
        for instruction, layer, spent in zip(whole, layers, seconds, strict=True)
    )
    return Profile(program, rows, step_seconds, timings)


def timing(
    instruction: Instruction, layer: str, rows: int, seconds: float, everything: float
) -> Timing:
    row, sizes = ops.TABLE[instruction.op], instruction.sizes_of(rows)
    operands = len(row.signature.outputs) + len(row.signature.inputs)
    return Timing(
        op=instruction.op,
        layer=layer,
        sizes=sizes,
        seconds=seconds,
        flops=row.work(sizes, instruction.attributes),
        bytes=sum(extents_bytes(row, sizes)[:operands]),
        share=seconds / everything if everything else 0.0,
    )


class Walk:
    """The second sandbox, with as many instructions as a tape has programs at a time."""

    def __init__(self, module: Module, origin: Sandbox, step: int, rows: int) -> None:
        self.module, self.plan, self.limits = module, origin.plan, origin.limits
        self.step, self.rows = step, rows
        self.arena = origin.arena.copy()

    def load(self, whole: Sequence[Instruction], block: Sequence[Instruction]) -> None:
        """A sandbox with the memory as it is now, for these instructions."""
        tape = self.plan.tape
        parts = [tuple(whole), (), *((instruction,) for instruction in block)]
        names = [WHOLE, NOTHING, *map(str, range(len(block)))]
        plan = dataclasses.replace(
            self.plan,
            tape=Tape(tape.arena_bytes, tape.persistent_bytes, tuple(parts), tape.rows),
            programs={name: number for number, name in enumerate(names)},
        )
        self.sandbox = Sandbox(self.module, plan, self.limits)
        self.sandbox.arena[...] = self.arena
        self.arena = self.sandbox.arena

    def timed(self, block: Sequence[Instruction]) -> Iterator[float]:
        """Seconds of each of these, which follow one another."""
        call_seconds = min(self._seconds(NOTHING, 1) for _ in range(100))
        for number, instruction in enumerate(block):
            written = list(self._written(instruction))
            kept = [place.copy() for place in written]
            if ops.TABLE[instruction.op].counts_steps:
                yield self._step_seconds(str(number), call_seconds)
            else:
                yield self._repeated_seconds(str(number), call_seconds)
            for place, values in zip(written, kept, strict=True):
                place[...] = values
            self._seconds(str(number), 1)

    def whole_seconds(self) -> float:
        """Of the program, the same step again and again: it moves weights of this sandbox only."""
        call_seconds = min(self._seconds(NOTHING, 1) for _ in range(100))
        found = sorted(self._seconds(WHOLE, 1) for _ in range(WHOLE_RUNS))
        return max(found[WHOLE_RUNS // 2] - call_seconds, 0.0)

    def _repeated_seconds(self, program: str, call_seconds: float) -> float:
        steps, spent = 1, self._seconds(program, 1)
        while spent - call_seconds < TIMED_SECONDS and steps < STEPS_MOST:
            steps *= 2 if spent > 2 * call_seconds else 8
            spent = self._seconds(program, steps)
        spent = min(spent, *(self._seconds(program, steps) for _ in range(2)))
        return max(spent - call_seconds, 0.0) / steps

    def _step_seconds(self, program: str, call_seconds: float) -> float:
        """Of an instruction that counts steps: another step could lie outside its data."""
        spent = min(self._seconds(program, 1) for _ in range(STEP_CALLS))
        return max(spent - call_seconds, 0.0)

    def _seconds(self, program: str, steps: int) -> float:
        begin = time.perf_counter()
        self.sandbox.call(program, self.step, steps, self.rows)
        return time.perf_counter() - begin

    def _written(self, instruction: Instruction) -> Iterator[NDArray[np.uint8]]:
        """The memory that an instruction changes: its outputs, or what it has an effect on."""
        row = ops.TABLE[instruction.op]
        lengths = extents_bytes(row, instruction.sizes_of(self.rows))
        operands = len(row.signature.outputs) or len(row.signature.inputs)
        for address, length in zip(instruction.addresses, lengths[:operands], strict=False):
            yield self.arena[address : address + length]


def layers_of(plan: Plan, program: str) -> list[str]:
    """The layer of each instruction of a program, by the names of the parameters around it."""
    targets = {root(node): place for node, place in plan.source[program].into.items()}
    found: dict[Node, str] = {}
    for node in in_order(plan.source[program].roots):
        if node.shape is None:  # an effect is the optimiser's, or a record
            found[node] = ""
            continue
        names = [targets[node].name] if node in targets else []
        names += [s.name for s in map(root, node.sources) if s.op in ("leaf", "view")]
        own = [name.rpartition(".")[0] for name in names if "." in name]
        inherited = [found[s] for s in map(root, node.sources) if found.get(s)]
        found[node] = (own or inherited or [""])[0]
    return [found[node] or OUTSIDE for node in plan.nodes[program]]

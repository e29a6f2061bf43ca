"""One training step on several threads, to the same bits on any number of them.

A batch is cut into `shards` parts, a power of two that belongs to the configuration, since the sum
of the parts' gradients depends on it. Each shard is a sandbox of its own with all weights. A step
of the run is, in turn for each phase:

    slopes    every shard finds the gradient of its part; shard s of step n counts as step
              n · shards + s, which gives it its rows of the batch and its own random numbers
    together  the gradients are added in the order of the shards and divided by their number,
              each element by itself, and every shard gets the sum
    move      every shard moves its weights by it, so that all stay the same; here step n is n

Threads decide only who works when: a call into a sandbox lets other threads of Python run. With
one shard the bits are those of a run without shards.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.build import Module
from kernels.compiler import Plan
from kernels.graph import Node
from kernels.limits import Limits, SandboxError
from kernels.runtime import Sandbox

SHARDS_MOST = 16
PIECE_ELEMENTS = 65_536  # of a gradient that one thread adds up at a time: 256 kB
T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """Names of two programs, and the leaf or view in which the first leaves the gradients that the
    second moves by.
    """

    slopes: str
    move: str
    gradients: Node


class Shards:
    """Sandboxes of one plan that train together. `limits.memory_bytes` is for all of them, the
    other limits for each.

    Raises SandboxError where they need more. After a SandboxError of any all are discarded.
    """

    def __init__(
        self,
        module: Module,
        plan: Plan,
        phases: Sequence[Phase],
        *,
        shards: int,
        threads: int,
        limits: Limits,
    ) -> None:
        if shards & (shards - 1) or not 1 <= shards <= SHARDS_MOST:
            raise SandboxError(f"shards: must be 1, 2, 4, 8 or 16, not {shards}")
        each = replace(limits, memory_bytes=limits.memory_bytes // shards)
        self.plan, self.phases = plan, tuple(phases)
        self.sandboxes = tuple(Sandbox(module, plan, each) for _ in range(shards))
        self._gradients = [[box.array(p.gradients) for box in self.sandboxes] for p in phases]
        self._pool = ThreadPoolExecutor(max(1, min(threads, shards)))

    def __len__(self) -> int:
        return len(self.sandboxes)

    @property
    def memory_bytes(self) -> int:
        return sum(box.memory_bytes for box in self.sandboxes)

    def array(self, node: Node) -> NDArray[Any]:
        """A leaf or view of the first shard; of weights and moments all have the same."""
        return self.sandboxes[0].array(node)

    def total(self, node: Node) -> NDArray[Any]:
        """A leaf into which each shard writes other elements, zero elsewhere: all of them."""
        found = self.sandboxes[0].array(node).copy()
        for box in self.sandboxes[1:]:
            found += box.array(node)
        return found

    def fill(self, node: Node, values: NDArray[Any]) -> None:
        """The same values in every shard."""
        for box in self.sandboxes:
            box.array(node)[...] = values

    def run_alike(self, program: str) -> None:
        """The same step 0 of a program in every shard: first weights, what the data measure."""
        self._together(lambda shard: self.sandboxes[shard].call(program, 0, 1))

    def run(self, first: int, steps: int) -> int:
        """Steps first .. first + steps - 1; answers how many were done: fewer where the loss of a
        shard is not a number. Raises Trapped or DeadlineExceeded.
        """
        for done in range(steps):
            if not all(self._phase(number, first + done) for number in range(len(self.phases))):
                return done
        return steps

    def close(self) -> None:
        """Lets the threads go; the sandboxes can still be read."""
        self._pool.shutdown()

    def _phase(self, number: int, step: int) -> bool:
        phase, many = self.phases[number], len(self)
        finished = self._together(
            lambda shard: self.sandboxes[shard].call(phase.slopes, step * many + shard, 1)
        )
        if not all(finished):
            return False
        self._add_up(self._gradients[number])
        self._together(lambda shard: self.sandboxes[shard].call(phase.move, step, 1))
        return True

    def _add_up(self, parts: Sequence[NDArray[np.float32]]) -> None:
        """Every part becomes the mean of all, added in their order."""
        if len(parts) == 1:
            return
        flat = [part.reshape(-1) for part in parts]
        share = np.float32(1 / len(flat))  # exact, as it is a power of two

        def piece(begin: int) -> None:
            pieces = [part[begin : begin + PIECE_ELEMENTS] for part in flat]
            for other in pieces[1:]:
                pieces[0] += other
            pieces[0] *= share
            for other in pieces[1:]:
                other[...] = pieces[0]

        begins = range(0, len(flat[0]), PIECE_ELEMENTS)
        wait(self._pool.submit(piece, begin) for begin in begins)

    def _together(self, work: Callable[[int], T]) -> list[T]:
        try:
            return wait(self._pool.submit(work, shard) for shard in range(len(self)))
        except SandboxError:
            for box in self.sandboxes:
                box.discard()
            raise


def wait(futures: Iterable[Future[T]]) -> list[T]:
    """The answers of all, after all have ended; of several errors the first one's."""
    ended = list(futures)
    for future in ended:
        future.exception()
    return [future.result() for future in ended]

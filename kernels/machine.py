"""The memory and the programs of a training run, in one sandbox or in one for each shard."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.build import Module
from kernels.graph import Node
from kernels.limits import Limits
from kernels.programs import TrainingPlan
from kernels.runtime import Sandbox
from kernels.shards import Shards


class Machine:
    """All shards hold the same, but for the sums of a training step, where each has its own."""

    def __init__(self, module: Module, plan: TrainingPlan, limits: Limits, threads: int) -> None:
        self._plan = plan
        self._shards: Shards | None = None
        if plan.phases:
            self._shards = Shards(
                module, plan.plan, plan.phases, shards=plan.shards, threads=threads, limits=limits
            )
            self._boxes = self._shards.sandboxes
        else:
            self._boxes = (Sandbox(module, plan.plan, limits),)
        self._sums = {node for of in plan.training for node in (of.losses, of.corrects)}

    @property
    def first(self) -> Sandbox:
        """Where what all do alike is read and measured."""
        return self._boxes[0]

    @property
    def memory_bytes(self) -> int:
        return sum(box.memory_bytes for box in self._boxes)

    def uses(self, node: Node) -> bool:
        """Whether a program reads or writes it: targets are nothing to an autoencoder."""
        return node in self._plan.plan.addresses

    def read(self, node: Node) -> NDArray[Any]:
        """A copy of a leaf or view."""
        if self._shards is not None and node in self._sums:
            return self._shards.total(node)
        return self.first.array(node).copy()

    def write(self, node: Node, values: Any) -> None:
        """Each shard gets of sums those it will write again, and of everything else all."""
        many = len(self._boxes)
        for number, box in enumerate(self._boxes):
            array = box.array(node)
            array[...] = values
            if node in self._sums:
                array[np.arange(len(array)) % many != number] = 0

    def run_alike(self, program: str) -> None:
        """One step of a program, in every shard."""
        if self._shards is not None:
            self._shards.run_alike(program)
        else:
            self.first.run(program, 0, 1)

    def advance(self, first: int, most: int) -> tuple[int, int]:
        """So many training steps as take about a call's time: how many were begun, how many done.

        Fewer done than begun means that a loss is not a number. Raises SandboxError.
        """
        if self._shards is not None:
            return 1, self._shards.run(first, 1)
        asked = self.first.call_steps("train", most)
        return asked, self.first.call("train", first, asked)

"""What the tests of the compute core share: the two modules, one way to run a node, some digits."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kernels import build
from kernels.build import Module
from kernels.compiler import Program, compile_programs
from kernels.data import TrainingData
from kernels.graph import Node, leaf
from kernels.limits import Limits
from kernels.ops import Array
from kernels.runtime import Sandbox

Compute = Callable[..., Array]


@pytest.fixture(scope="session")
def simd() -> Module:
    return build.module("simd")


@pytest.fixture(scope="session")
def scalar() -> Module:
    return build.module("scalar")


@pytest.fixture(params=["simd", "scalar"])
def module(request: pytest.FixtureRequest) -> Module:
    return build.module(request.param)


@pytest.fixture(scope="session")
def compute() -> Compute:
    """Runs one node in a sandbox; arrays of leaves that it changes are changed in place."""

    def run(module: Module, node: Node, memory: dict[Node, Array], step: int = 0) -> Array | None:
        out = None if node.shape is None else leaf("out", node.shape, node.dtype)
        into = {} if out is None else {node: out}
        plan = compile_programs({"main": Program([node], into)})
        sandbox = Sandbox(module, plan, Limits(memory_bytes=64 * 2**20))
        for place, values in memory.items():
            sandbox.array(place)[...] = values
        sandbox.run("main", step, 1)
        for place, values in memory.items():
            values[...] = sandbox.array(place)
        return None if out is None else sandbox.array(out).copy()

    return run


@pytest.fixture(scope="session")
def digits() -> TrainingData:
    """1,257 handwritten digits to train on and 540 to check on."""
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(rows))
    rows, labels = rows[order].astype(np.float32), labels[order].astype(np.int32)
    return TrainingData(rows[:1257], labels[:1257], rows[1257:], labels[1257:])


@pytest.fixture(scope="module")
def few(digits):
    """Few enough that a run takes milliseconds, and no multiple of the batch."""
    return TrainingData(
        digits.train_rows[:203],
        digits.train_targets[:203],
        digits.validation_rows[:70],
        digits.validation_targets[:70],
    )

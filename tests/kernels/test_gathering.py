"""Gradients of several batches gathered before parameters move, and what their noise tells."""

import numpy as np
import pytest

from kernels.compiler import Program, compile_programs
from kernels.graph import leaf, reshape
from kernels.limits import Limits
from kernels.ops import apply
from kernels.runtime import Sandbox

WIDTH, STEPS = 7, 12
SGD = {"momentum": 0.9, "nesterov": 0}


@pytest.fixture
def slopes():
    return np.random.default_rng(4).standard_normal((STEPS, WIDTH)).astype(np.float32)


class Run:
    """A tape whose batches' gradients are given, so that only the gathering is looked at."""

    def __init__(self, module, slopes, every):
        self.leaves = {name: leaf(name, (WIDTH,)) for name in ("p", "total", "velocity")}
        self.leaves |= {name: leaf(name, (1,)) for name in ("rate", "waited", "every")}
        self.leaves |= {"sums": leaf("sums", (4,)), "slopes": leaf("slopes", slopes.shape)}
        p, total, velocity, rate, waited, every_leaf, sums, stored = self.leaves.values()
        taken = apply("take_rows", stored, sizes={"b": 1}, attributes={"first": 0})
        g = leaf("g", (WIDTH,))
        copied = apply("copy", reshape(taken, (WIDTH,)))
        roots = [
            copied,
            apply("measure_noise", sums, g, total, waited, every_leaf),
            apply("accumulate", total, g, waited, every_leaf),
            apply("due", waited, every_leaf),
            apply("sgd", p, g, velocity, rate, attributes=SGD),
        ]
        plan = compile_programs({"train": Program(roots, {copied: g})})
        self.sandbox = Sandbox(module, plan, Limits(memory_bytes=2**22))
        self["slopes"][...], self["rate"][...], self["every"][...] = slopes, 0.1, every

    def __getitem__(self, name):
        return self.sandbox.array(self.leaves[name])


def moved(slopes):
    """Where plain steps with these gradients lead to."""
    p, velocity = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    for g in slopes:
        velocity = np.float32(0.9) * velocity + g
        p = p - np.float32(0.1) * velocity
    return p


@pytest.mark.parametrize("every", [0, 1, 2, 4, 6])
def test_parameters_move_every_so_many_batches_by_the_mean_of_their_gradients(
    every, module, slopes
):
    run = Run(module, slopes, every)
    assert run.sandbox.run("train", 0, STEPS) == STEPS
    groups = slopes.reshape(-1, max(1, every), WIDTH)
    sums = groups[:, 0]
    for batch in range(1, groups.shape[1]):
        sums = sums + groups[:, batch]
    np.testing.assert_array_equal(run["p"], moved(sums * np.float32(1 / groups.shape[1])))


def test_a_run_cut_anywhere_gathers_the_same(simd, slopes):
    whole, cut = Run(simd, slopes, 4), Run(simd, slopes, 4)
    whole.sandbox.call("train", 0, STEPS)
    for step in range(STEPS):
        assert cut.sandbox.call("train", step, 1) == 1
    assert cut["p"].tobytes() == whole["p"].tobytes()
    assert cut["sums"].tobytes() == whole["sums"].tobytes()


def test_fewer_batches_from_one_moment_on_weigh_those_that_were_gathered(simd, slopes):
    run = Run(simd, slopes, 8)
    run.sandbox.run("train", 0, 3)
    run["every"][...] = 2
    run.sandbox.run("train", 3, 1)
    total = (slopes[0] + slopes[1] + slopes[2] + slopes[3]) * np.float32(0.25)
    np.testing.assert_array_equal(run["p"], moved([total]))
    assert run["waited"][0] == 0

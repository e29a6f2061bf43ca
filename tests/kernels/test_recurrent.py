"""Recurrent networks: the kernels where their blocks end."""

import numpy as np
import pytest

from kernels import reference
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.ops import apply, part
from kernels.runtime import Sandbox
from tests.kernels.examples import EXAMPLES, Leaves


def run_parts(module, node, memory, count):
    """The first `count` values of a node."""
    values = [node, *(part(node, number) for number in range(1, count))]
    out = [leaf(f"out{number}", value.shape) for number, value in enumerate(values)]
    copies = [apply("copy", value) for value in values]
    plan = compile_programs({"main": Program(copies, dict(zip(copies, out, strict=True)))})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=64 * 2**20))
    for place, numbers in memory.items():
        sandbox.array(place)[...] = numbers
    sandbox.run("main", 0, 1)
    return values, [sandbox.array(place).copy() for place in out]


@pytest.mark.parametrize(("rows", "steps", "width"), [(5, 3, 65), (3, 2, 96), (37, 2, 161)])
@pytest.mark.parametrize("name", ["lstm", "lstm_gradient"])
def test_wide_states_are_what_the_plain_version_says(name, rows, steps, width, module):
    """Widths at which the sums are taken up again, and at which rows come in larger blocks."""
    leaves = Leaves(np.random.default_rng(3))
    node = EXAMPLES[name](leaves, rows, steps, width)
    values, found = run_parts(module, node, leaves.memory, 2 if name == "lstm" else 1)
    expected = dict(leaves.memory)
    reference.run(values, expected)
    for value, got in zip(values, found, strict=True):
        np.testing.assert_allclose(got, expected[value], rtol=0, atol=2e-6)
        if name == "lstm_gradient":
            np.testing.assert_array_equal(got, expected[value])


@pytest.mark.parametrize("width", [5, 32, 161])
def test_a_row_does_not_see_the_other_rows(width, module):
    rng, recurrent = np.random.default_rng(4), leaf("recurrent", (width, 4 * width))
    gates = rng.standard_normal((37, 4, 4 * width)).astype(np.float32)
    weights = (rng.standard_normal((width, 4 * width)) / width).astype(np.float32)
    together = hidden_states(module, gates, weights, recurrent)
    for row in (0, 3, 4, 31, 32, 36):
        alone = hidden_states(module, gates[row : row + 1], weights, recurrent)
        np.testing.assert_array_equal(alone[0], together[row])


def hidden_states(module, gates, weights, recurrent):
    x = leaf("x", gates.shape)
    node = apply("lstm", x, recurrent, attributes={"reverse": 0})
    return run_parts(module, node, {x: gates, recurrent: weights}, 1)[1][0]

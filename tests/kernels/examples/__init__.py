"""For every row of the table a node on ragged sizes, with numbers in its leaves.

A family of rows has its file here as in kernels/ops: EXAMPLES makes a node from leaves and three
sizes, TOLERANCES names the kernels that differ from their plain version by more than nothing, and
by how much, as a share of the largest number that is expected (of 1 where that is smaller).
Kernels whose arithmetic is exact step by step must agree to the bit; the others use polynomials
where NumPy uses its library, or sum in lanes where NumPy sums in pairs.
"""

import numpy as np

from kernels.graph import leaf
from tests.kernels.examples import (
    attention,
    augmentation,
    chance,
    compression,
    elementwise,
    gradients,
    likelihoods,
    losses,
    noise,
    norm,
    optimizers,
    patterns,
    products,
    recurrent,
    regression,
    reinforcement,
    rows,
    schedules,
    sequences,
    vision,
)

FAMILIES = (
    products,
    elementwise,
    losses,
    chance,
    rows,
    optimizers,
    patterns,
    norm,
    sequences,
    attention,
    regression,
    likelihoods,
    reinforcement,
    recurrent,
    compression,
    gradients,
    schedules,
    noise,
    vision,
    augmentation,
)
EXAMPLES = {name: make for family in FAMILIES for name, make in family.EXAMPLES.items()}
TOLERANCES = {name: bound for family in FAMILIES for name, bound in family.TOLERANCES.items()}


class Leaves:
    """Makes leaves, and remembers what is in them."""

    def __init__(self, rng):
        self.rng, self.memory = rng, {}

    def floats(self, *shape):
        return self.holding(self.rng.standard_normal(shape).astype(np.float32))

    def positive(self, *shape):
        return self.holding(np.exp(self.rng.standard_normal(shape)).astype(np.float32))

    def whole(self, high, *shape):
        return self.holding(self.rng.integers(0, high, shape).astype(np.uint32), "u4")

    def bytes(self, *shape):
        return self.holding(self.rng.integers(-127, 128, shape).astype(np.int8), "i1")

    def holding(self, values, dtype="f4"):
        node = leaf(f"x{len(self.memory)}", values.shape, dtype)
        self.memory[node] = values
        return node


def example(name, rng, a, b, c):
    """A node of the op on ragged sizes, and memory for its leaves."""
    leaves = Leaves(rng)
    return EXAMPLES[name](leaves, a, b, c), leaves.memory

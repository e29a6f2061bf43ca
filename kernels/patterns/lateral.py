"""The pattern "lateral": steps go aside as well as down.

The gradient g becomes

    g + factor · (1 - s / S) · ‖g‖ · d

in step s of S, where d is a random direction of length 1, orthogonal to g and another one in every
step. So the loss falls as fast as without it, to first order, while the weights wander sideways,
less and less far.
"""

from kernels import ops
from kernels.graph import Node
from kernels.philox import Purpose, stream


def explore(slopes: Node, factor: float, steps_total: int, seed: int, number: int = 0) -> Node:
    """The instruction that turns a gradient (n) aside; `number` tells those of one step apart."""
    draws = stream(seed, Purpose.LATERAL + number)
    attributes = {"factor": factor, "steps_total": steps_total, **draws}
    return ops.apply("lateral", slopes, attributes=attributes)

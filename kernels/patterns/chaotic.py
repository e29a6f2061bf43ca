"""The pattern "chaotic": the learning rate follows the logistic map.

In every step

    x ← 3.99 · x · (1 - x)
    rate ← rate · (1 + factor · (2 · x - 1))

with x between 0 and 1 drawn once, from the seed. At 3.99 the map never settles and never repeats in
practice: long calm stretches near 0 alternate with bursts, so that small careful steps and
excursions of up to twice the rate follow each other without a period. x is float32 and part of a
checkpoint.
"""

from kernels import ops
from kernels.graph import Node
from kernels.philox import Purpose, stream

GROWTH = 3.99


def modulate(state: Node, rate: Node, factor: float, seed: int) -> Node:
    """The instruction that multiplies a step's `rate` (1), after the schedule has set it; `state`
    (1) begins as zero.
    """
    attributes = {"growth": GROWTH, "factor": factor, **stream(seed, Purpose.CHAOTIC)}
    return ops.apply("logistic_map", state, rate, attributes=attributes)

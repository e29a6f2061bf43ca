"""The pattern "associative": examples are learned in pairs.

Each example i of a batch is mixed with a partner j, inputs and targets alike:

    x_i ← w_i · x_i + (1 - w_i) · x_j        t_i ← w_i · t_i + (1 - w_i) · t_j
    w_i from Beta(factor, factor), j = i + shift modulo the batch

The shares and the shift are drawn anew in every step. With a small factor nearly every w is near 0
or 1; with a factor of 1 all shares are alike likely. Targets that are classes become shares of
classes. Tokens cannot be mixed, what they are embedded as can: gradients go through.
"""

from kernels import ops
from kernels.graph import Node, reshape
from kernels.philox import Purpose, stream


def mixed(x: Node, rows: int, factor: float, seed: int) -> Node:
    """x, whose leading size is a multiple of `rows`, mixed row by row. Whatever is mixed in one
    step with the same seed has the same partners and shares.
    """
    attributes = {"factor": factor, **stream(seed, Purpose.ASSOCIATIVE)}
    flat = reshape(x, (rows, x.elements // rows))
    return reshape(ops.apply("mixup", flat, attributes=attributes), x.shape or ())


def shares_of(labels: Node, classes: int) -> Node:
    """Labels (m, 1) as shares of the classes (m, classes), for `soft_cross_entropy`."""
    return ops.apply("one_hot", labels, sizes={"n": classes})

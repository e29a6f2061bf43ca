"""Normal numbers: what a generator begins with, what disturbs, and what a variational code is drawn
by.
"""

import numpy as np

from kernels import philox
from kernels.graph import Node, reshape
from kernels.ops.chance import STREAM
from kernels.ops.table import Array, Attributes, Op, apply
from kernels.signature import Signature


def normal(node: Node, step: int) -> Array:
    total = node.sizes["count"]
    words = (philox.draw(node.attributes, step, -(-total // 4)) >> np.uint64(8)).astype(np.float64)
    radius = np.sqrt(-2 * np.log((words[:, :2] + 1) * 2.0**-24))
    angle = 2 * np.pi * words[:, 2:] * 2.0**-24
    found = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2).reshape(-1)[:total]
    return np.asarray(found * node.attributes["deviation"], np.float32)


def drawn(like: Node, deviation: float, stream: Attributes) -> Node:
    """Normal numbers in the shape of a node, other ones in every step."""
    attributes = {"deviation": deviation} | dict(stream)
    found = apply("normal", sizes={"count": like.elements}, attributes=attributes)
    return reshape(found, like.shape or ())


def disturbed(x: Node, deviation: float, stream: Attributes) -> Node:
    """x with normal noise: what a denoising autoencoder is shown."""
    return apply("sum", x, drawn(x, deviation, stream))


def reparameterised(mean: Node, spread: Node, stream: Attributes) -> Node:
    """A draw from the Gaussian of this mean and logarithm of the variance, through which gradients
    go: mean + exp(spread / 2) * noise (Kingma and Welling, 2014, section 2.4).
    """
    deviation = apply("exp", apply("scale", spread, attributes={"value": 0.5}))
    return apply("sum", mean, apply("product", deviation, drawn(mean, 1.0, stream)))


ROWS: dict[str, Op] = {
    "normal": Op(
        Signature("->(...)"),
        normal,
        attributes={"deviation": float} | STREAM,
        flops=50,
        counts_steps=True,
    ),
}

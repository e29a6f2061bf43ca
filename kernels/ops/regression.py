"""Losses of numbers: mean squared, mean absolute, Huber's and the quantile loss.

Each is (2): the mean over all numbers, and the sum over rows of the mean absolute error of a row.
Targets are constants: no gradient goes to them.
"""

from collections.abc import Callable

import numpy as np

from kernels.graph import Node
from kernels.ops.losses import scored
from kernels.ops.table import Array, Op
from kernels.signature import Signature

# of the differences x - t and the attribute, if there is one
Pointwise = Callable[..., Array]


def huber(d: Array, delta: float) -> Array:
    """Huber, "Robust estimation of a location parameter" (1964): d^2 / 2 up to delta, then its
    tangent.
    """
    beyond = delta * (np.abs(d) - d.dtype.type(0.5) * delta)
    return np.asarray(np.where(np.abs(d) > delta, beyond, d.dtype.type(0.5) * d * d))


def quantile(d: Array, tau: float) -> Array:
    """Koenker and Bassett, "Regression quantiles" (1978): the share `tau` of targets ends up below
    the prediction.
    """
    return np.asarray(np.where(d < 0, -tau * d, (d.dtype.type(1) - tau) * d))


def quantile_slope(d: Array, tau: float) -> Array:
    return np.asarray(np.where(d < 0, -tau, np.where(d > 0, d.dtype.type(1) - tau, d)))


def loss(name: str, value: Pointwise, slope: Pointwise, attribute: str = "") -> dict[str, Op]:
    """The rows of a loss and of its gradient."""
    attributes: dict[str, type] = {attribute: float} if attribute else {}

    def shape(node: Node, x: Array) -> list[float]:
        return [x.dtype.type(node.attributes[attribute])] if attribute else []

    def measure(node: Node, step: int, x: Array, t: Array) -> Array:
        each = value(x - t, *shape(node, x))
        return np.array([each.mean(), np.abs(x - t).mean(axis=1).sum()], x.dtype)

    def slopes(node: Node, step: int, x: Array, t: Array) -> Array:
        return np.asarray(slope(x - t, *shape(node, x)) * x.dtype.type(1 / len(x) / x.shape[1]))

    return {
        name: Op(
            Signature("(m,n),(m,n)->(2)"),
            measure,
            scored(f"{name}_gradient"),
            attributes=attributes,
            flops=6,
        ),
        f"{name}_gradient": Op(
            Signature("(m,n),(m,n)->(m,n)"),
            slopes,
            attributes=attributes,
            flops=4,
            in_place=True,
        ),
    }


ROWS: dict[str, Op] = (
    loss("squared_error", lambda d: d * d, lambda d: d + d)
    | loss("absolute_error", np.abs, np.sign)
    | loss("huber", huber, lambda d, delta: np.clip(d, -delta, delta), "delta")
    | loss("quantile", quantile, quantile_slope, "tau")
)

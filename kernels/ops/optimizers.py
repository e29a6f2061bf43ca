"""Optimisers: parameters move against their gradient, all of them in one instruction.

The learning rate is a leaf (1), so that schedules and patterns can move it. The formulas are
PyTorch's, which says them in the order in which they are rounded here.
"""

import math

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op
from kernels.signature import Signature


def adam(
    node: Node, step: int, p: Array, g: Array, first: Array, second: Array, rate: Array, t: Array
) -> None:
    of = p.dtype.type
    beta1, beta2 = of(node.attributes["beta1"]), of(node.attributes["beta2"])
    t += 1
    pace = float(rate[0]) / (1 - float(beta1) ** int(t[0]))
    root = 1 / math.sqrt(1 - float(beta2) ** int(t[0]))
    first[:] = beta1 * first + (of(1) - beta1) * g
    second[:] = beta2 * second + (of(1) - beta2) * (g * g)
    p *= of(1 - float(rate[0]) * float(of(node.attributes.get("decay", 0))))
    p -= of(pace) * (first / (np.sqrt(second) * of(root) + of(node.attributes["epsilon"])))


def sgd(node: Node, step: int, p: Array, g: Array, velocity: Array, rate: Array) -> None:
    momentum = p.dtype.type(node.attributes["momentum"])
    velocity[:] = momentum * velocity + g
    p -= rate * (g + momentum * velocity if node.attributes["nesterov"] else velocity)


def rmsprop(
    node: Node, step: int, p: Array, g: Array, squares: Array, velocity: Array, rate: Array
) -> None:
    of = p.dtype.type
    keep = of(node.attributes["keep"])
    squares[:] = keep * squares + (of(1) - keep) * (g * g)
    move = g / (np.sqrt(squares) + of(node.attributes["epsilon"]))
    velocity[:] = of(node.attributes["momentum"]) * velocity + move
    p -= rate * velocity


def adagrad(node: Node, step: int, p: Array, g: Array, total: Array, rate: Array) -> None:
    total += g * g
    p -= rate * (g / (np.sqrt(total) + p.dtype.type(node.attributes["epsilon"])))


BETAS: dict[str, type] = {"beta1": float, "beta2": float, "epsilon": float}


ROWS: dict[str, Op] = {
    "adam": Op(Signature("(n),(n),(n),(n),(1),(1)->"), adam, attributes=BETAS, flops=14),
    "adamw": Op(
        Signature("(n),(n),(n),(n),(1),(1)->"), adam, attributes=BETAS | {"decay": float}, flops=15
    ),
    "sgd": Op(
        Signature("(n),(n),(n),(1)->"),
        sgd,
        attributes={"momentum": float, "nesterov": int},
        flops=6,
    ),
    "rmsprop": Op(
        Signature("(n),(n),(n),(n),(1)->"),
        rmsprop,
        attributes={"keep": float, "momentum": float, "epsilon": float},
        flops=11,
    ),
    "adagrad": Op(Signature("(n),(n),(n),(1)->"), adagrad, attributes={"epsilon": float}, flops=7),
}

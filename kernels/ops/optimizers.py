"""Optimisers: parameters move against their gradient."""

import math

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op
from kernels.signature import Signature


def adam(node: Node, step: int, p: Array, g: Array, first: Array, second: Array) -> None:
    of = p.dtype.type
    beta1, beta2 = of(node.attributes["beta1"]), of(node.attributes["beta2"])
    rate = float(of(node.attributes["learning_rate"])) / (1 - float(beta1) ** (step + 1))
    root = 1 / math.sqrt(1 - float(beta2) ** (step + 1))
    first[:] = beta1 * first + (of(1) - beta1) * g
    second[:] = beta2 * second + (of(1) - beta2) * (g * g)
    p -= of(rate) * (first / (np.sqrt(second) * of(root) + of(node.attributes["epsilon"])))


def sgd(node: Node, step: int, p: Array, g: Array, velocity: Array) -> None:
    of = p.dtype.type
    velocity[:] = of(node.attributes["momentum"]) * velocity + g
    p -= of(node.attributes["learning_rate"]) * velocity


RATES = ("learning_rate", "beta1", "beta2", "epsilon")


ROWS: dict[str, Op] = {
    "adam": Op(
        Signature("(n),(n),(n),(n)->"),
        adam,
        attributes=dict.fromkeys(RATES, float),
        flops=14,
        counts_steps=True,
    ),
    "sgd": Op(
        Signature("(n),(n),(n)->"),
        sgd,
        attributes={"learning_rate": float, "momentum": float},
        flops=4,
    ),
}

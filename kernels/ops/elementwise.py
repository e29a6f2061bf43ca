"""One number in, one number out, and what is done to all rows alike."""

import math
from collections.abc import Callable

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Gradient, Op, apply, from_input, from_output
from kernels.signature import Signature


def column_sums(x: Array) -> Array:
    total = np.zeros(x.shape[1], x.dtype)
    for row in x:
        total = total + row
    return total


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def gelu_inner(x: Array) -> Array:
    return np.asarray(0.7978845608 * (x + 0.044715 * x * x * x))


def gelu_slope(x: Array) -> Array:
    t = np.tanh(gelu_inner(x))
    inner_slope = 0.7978845608 * (1 + 0.134145 * x * x)
    return np.asarray(0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope)


def silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    return np.asarray(s * (1 + x * (1 - s)))


def erf(x: Array) -> Array:
    return np.array([math.erf(value) for value in x.flat], x.dtype).reshape(x.shape)


def erf_gradient(node: Node, g: Node) -> tuple[Node]:
    """2 / sqrt(pi) · exp(-x²)"""
    x = node.sources[0]
    inner = apply("scale", apply("product", x, x), attributes={"value": -1.0})
    slope = {"value": 2 / math.sqrt(math.pi)}
    return (apply("product", g, apply("scale", apply("exp", inner), attributes=slope)),)


def elementwise(f: Callable[[Array], Array], gradient: Gradient, flops: int = 1) -> Op:
    return Op(Signature("(...)->(...)"), lambda n, s, x: f(x), gradient, flops=flops, in_place=True)


def slope(f: Callable[[Array], Array], flops: int = 1) -> Op:
    """g times a slope that is a function of the first source."""
    return Op(
        Signature("(...),(...)->(...)"), lambda n, s, x, g: g * f(x), flops=flops + 1, in_place=True
    )


ROWS: dict[str, Op] = {
    "relu": elementwise(
        lambda x: np.where(x < 0, x.dtype.type(0), x), from_output("relu_gradient")
    ),
    "leaky_relu": elementwise(
        lambda x: np.where(x < 0, x * x.dtype.type(0.01), x), from_output("leaky_relu_gradient")
    ),
    "elu": elementwise(
        lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)) - 1, x), from_output("elu_gradient"), 20
    ),
    "silu": elementwise(lambda x: x * sigmoid(x), from_input("silu_gradient"), 25),
    "gelu": elementwise(
        lambda x: 0.5 * x * (1 + np.tanh(gelu_inner(x))), from_input("gelu_gradient"), 40
    ),
    "sigmoid": elementwise(sigmoid, from_output("sigmoid_gradient"), 25),
    "tanh": elementwise(np.tanh, from_output("tanh_gradient"), 35),
    "exp": elementwise(np.exp, lambda n, g: (apply("product", n, g),), 20),
    "log": elementwise(np.log, lambda n, g: (apply("quotient", g, n.sources[0]),), 25),
    "erf": elementwise(erf, erf_gradient, 40),
    "relu_gradient": slope(lambda y: np.where(y > 0, y.dtype.type(1), y.dtype.type(0))),
    "leaky_relu_gradient": slope(lambda y: np.where(y < 0, y.dtype.type(0.01), y.dtype.type(1))),
    "elu_gradient": slope(lambda y: np.where(y < 0, y + 1, 1 + 0 * y)),
    "silu_gradient": slope(silu_slope, 30),
    "gelu_gradient": slope(gelu_slope, 50),
    "sigmoid_gradient": slope(lambda y: y * (1 - y), 2),
    "tanh_gradient": slope(lambda y: 1 - y * y, 2),
    "bias": Op(
        Signature("(m,n),(n)->(m,n)"),
        lambda n, s, x, b: x + b,
        lambda n, g: (g, apply("sum_rows", g)),
        in_place=True,
    ),
    "sum_rows": Op(Signature("(m,n)->(n)"), lambda n, s, x: column_sums(x)),
    "copy": Op(Signature("(...)*->(...)*"), lambda n, s, x: x.copy(), lambda n, g: (g,), flops=0),
    "sum": Op(
        Signature("(...),(...)->(...)"),
        lambda n, s, x, y: x + y,
        lambda n, g: (g, g),
        in_place=True,
    ),
    "product": Op(
        Signature("(...),(...)->(...)"),
        lambda n, s, x, y: x * y,
        lambda n, g: (apply("product", g, n.sources[1]), apply("product", g, n.sources[0])),
        in_place=True,
    ),
    "quotient": Op(Signature("(...),(...)->(...)"), lambda n, s, x, y: x / y, in_place=True),
}

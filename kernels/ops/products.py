"""Matrix products: each element is one chain of sums. A dense layer is one with its bias and its
activation.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops import elementwise
from kernels.ops.table import Array, Attributes, Op, apply
from kernels.signature import Signature, Sizes

DEPTH, BREADTH = 256, 512  # of c/tile.h
# in the order of the numbers that c/tile.c knows them by
ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "silu", "gelu", "sigmoid", "tanh")
ACTIVATION_NUMBERS = {name: number for number, name in enumerate(ACTIVATIONS)}
# their gradients want the sum, which a dense node does not keep
WANT_THE_SUM = ("silu", "gelu")
LINEAR = {"activation": 0}


def chain(a: Array, b: Array) -> Array:
    """a (m, k) times b (k, n): each element one sum over k, ascending, multiply and add rounded
    apart.
    """
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for step in range(a.shape[1]):
        total = total + a[:, step : step + 1] * b[step : step + 1, :]
    return total


def packed(sizes: Sizes) -> int:
    """What c/matmul.c copies at a time: four rows of the left operand, each number in four lanes,
    and panels of 8 columns of the right one.
    """
    return min(sizes["k"], DEPTH) * (16 + 8 * -(-min(sizes["n"], BREADTH) // 8))


def activate(node: Node, step: int, sums: Array) -> Array:
    name = ACTIVATIONS[int(node.attributes["activation"])]
    return sums if name == "linear" else elementwise.ROWS[name].reference(node, step, sums)


def activation_slope(node: Node, g: Node) -> Node:
    """The gradient of the sums below an activation. Where it wants the sums they are computed once
    more; who trains such a network better keeps activation and sums apart.
    """
    name = ACTIVATIONS[int(node.attributes["activation"])]
    if name == "linear":
        return g
    value = node
    if name in WANT_THE_SUM:
        attributes = dict(node.attributes) | LINEAR
        value = apply(node.op, *node.sources, sizes=node.sizes, attributes=attributes)
    return apply(f"{name}_gradient", value, g)


def dense_gradient(node: Node, g: Node) -> tuple[Node, ...]:
    x, w, _ = node.sources
    slope = activation_slope(node, g)
    return apply("matmul_nt", slope, w), apply("matmul_tn", x, slope), apply("sum_rows", slope)


def has_activation(sizes: Sizes, attributes: Attributes) -> bool:
    return 0 <= attributes["activation"] < len(ACTIVATIONS)


ROWS: dict[str, Op] = {
    "matmul_nn": Op(
        Signature("(m,k),(k,n)->(m,n)"),
        lambda n, s, a, b: chain(a, b),
        lambda n, g: (
            apply("matmul_nt", g, n.sources[1]),
            apply("matmul_tn", n.sources[0], g),
        ),
        flops=2,
        scratch=packed,
    ),
    "matmul_nt": Op(
        Signature("(m,k),(n,k)->(m,n)"),
        lambda n, s, a, b: chain(a, b.T),
        lambda n, g: (
            apply("matmul_nn", g, n.sources[1]),
            apply("matmul_tn", g, n.sources[0]),
        ),
        flops=2,
        scratch=packed,
    ),
    "matmul_tn": Op(
        Signature("(k,m),(k,n)->(m,n)"),
        lambda n, s, a, b: chain(a.T, b),
        lambda n, g: (
            apply("matmul_nt", n.sources[1], g),
            apply("matmul_nn", n.sources[0], g),
        ),
        flops=2,
        scratch=packed,
    ),
    "dense": Op(
        Signature("(m,k),(k,n),(n)->(m,n)"),
        lambda n, s, x, w, bias: activate(n, s, chain(x, w) + bias),
        dense_gradient,
        attributes={"activation": int},
        flops=lambda sizes: 2 * (sizes["k"] + 1) * sizes["m"] * sizes["n"],
        scratch=packed,
        holds=has_activation,
    ),
}

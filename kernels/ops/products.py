"""Matrix products: each element is one chain of sums."""

import numpy as np

from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature, Sizes


def chain(a: Array, b: Array) -> Array:
    """a (m, k) times b (k, n): each element one sum over k, ascending, multiply and add rounded
    apart.
    """
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for step in range(a.shape[1]):
        total = total + a[:, step : step + 1] * b[step : step + 1, :]
    return total


def packed(sizes: Sizes) -> int:
    """One panel of 8 columns, and the rows of the left operand in the order they are read."""
    return 8 * sizes["k"] + sizes["m"] * sizes["k"]


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
        scratch=lambda sizes: 8 * sizes["k"],
    ),
}

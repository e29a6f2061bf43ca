"""Matrix products: each element is one chain of sums."""

import numpy as np

from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature, Sizes

DEPTH, BREADTH = 256, 512  # of c/tile.h


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
}

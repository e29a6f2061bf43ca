"""Smaller networks: weights as bytes, and weights that stay zero."""

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op
from kernels.signature import Signature, Sizes

BYTE_MOST = 127
SUM_MOST = 131_072  # so many products of two bytes stay below 2^31
BLOCK_ROWS = 4  # of c/compression.c


def quantise_rows(x: Array) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127 for x (m, k), and what one of them stands for in each row
    (m, 1): the largest magnitude of the row / 127.
    """
    of = x.dtype.type
    peak = np.abs(x).max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(peak < of(1e-30), of(0), of(BYTE_MOST) / peak)
        return np.rint(x * factor), np.asarray(peak / of(BYTE_MOST))


def dense_int8(node: Node, step: int, x: Array, w: Array, scales: Array, bias: Array) -> Array:
    whole, row_scales = quantise_rows(x)
    sums = (whole.astype(np.int64) @ w.astype(np.int64)).astype(x.dtype)
    return np.asarray(sums * (row_scales * scales) + bias)


def embedding_int8(node: Node, step: int, tokens: Array, table: Array, scales: Array) -> Array:
    return np.asarray(table[tokens].astype(scales.dtype) * scales[tokens][..., None])


def mask(node: Node, step: int, p: Array, kept: Array) -> None:
    p[kept == 0] = 0


def scratch(sizes: Sizes) -> int:
    """A block of rows as whole numbers of 16 bits in pairs, and a scale for each."""
    return BLOCK_ROWS * ((sizes["k"] + 1) // 2 + 1)


ROWS: dict[str, Op] = {
    "dense_int8": Op(
        Signature("(m,k),(k,n)b,(n),(n)->(m,n)"),
        dense_int8,
        flops=2,
        scratch=scratch,
        holds=lambda sizes, attributes: sizes["k"] <= SUM_MOST,
    ),
    "embedding_int8": Op(Signature("(b,t)u,(v,d)b,(v)->(b,t,d)"), embedding_int8, below="v"),
    "mask": Op(Signature("(n),(n)->"), mask),
}

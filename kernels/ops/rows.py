"""Rows in and out: batches, blocks of rows, statistics of columns."""

import numpy as np

from kernels.graph import Node
from kernels.ops.elementwise import column_sums
from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature


def gather(node: Node, step: int, x: Array, order: Array) -> Array:
    rows = node.sizes["b"]
    first = step % int(node.attributes["steps_per_epoch"]) * rows
    return np.asarray(x[order[first : first + rows]])


def take_rows(node: Node, step: int, x: Array) -> Array:
    first = int(node.attributes["first"]) + step * node.sizes["b"]
    return np.asarray(x[first : first + node.sizes["b"]])


def put_rows(node: Node, step: int, x: Array, out: Array) -> None:
    first = int(node.attributes["first"]) + step * len(x)
    out[first : first + len(x)] = x


def measure_columns(node: Node, step: int, x: Array, mean: Array, scale: Array) -> None:
    exact = x.astype(np.float64)
    average = column_sums(exact) / len(x)
    deviation = np.sqrt(column_sums((exact - average) ** 2) / len(x)).astype(np.float32)
    mean[:], scale[:] = average, np.where(deviation > 0, deviation, 1)


ROWS: dict[str, Op] = {
    "gather": Op(
        Signature("(n,c)*,(n)u->(b,c)*"),
        gather,
        attributes={"steps_per_epoch": int},
        flops=0,
        counts_steps=True,
    ),
    "take_rows": Op(
        Signature("(n,c)*->(b,c)*"),
        take_rows,
        attributes={"first": int},
        flops=0,
        counts_steps=True,
    ),
    "put_rows": Op(
        Signature("(b,c),(n,c)->"), put_rows, attributes={"first": int}, flops=0, counts_steps=True
    ),
    "measure_columns": Op(Signature("(n,c),(c),(c)->"), measure_columns, flops=5),
    "unstandardise": Op(
        Signature("(m,n),(n),(n)->(m,n)"),
        lambda n, s, x, mean, scale: x * scale + mean,
        lambda n, g: (apply("column_product", g, n.sources[2]), None, None),
        flops=2,
        in_place=True,
    ),
    "column_product": Op(
        Signature("(m,n),(n)->(m,n)"),
        lambda n, s, x, scale: x * scale,
        in_place=True,
    ),
    "column_quotient": Op(
        Signature("(m,n),(n)->(m,n)"),
        lambda n, s, x, scale: x / scale,
        in_place=True,
    ),
    "standardise": Op(
        Signature("(m,n),(n),(n)->(m,n)"),
        lambda n, s, x, mean, scale: (x - mean) / scale,
        lambda n, g: (apply("column_quotient", g, n.sources[2]), None, None),
        flops=2,
        in_place=True,
    ),
}

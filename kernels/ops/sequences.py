"""Sequences of tokens or vectors: looked up, told where they stand, averaged.

What is learned about each step, (t, d), needs no op of its own: it is a `bias` of rows as long as a
whole sequence.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature


def embedding_slope(node: Node, step: int, tokens: Array, g: Array) -> Array:
    out = np.zeros((node.sizes["v"], g.shape[-1]), g.dtype)
    np.add.at(out, tokens.reshape(-1), g.reshape(-1, g.shape[-1]))
    return out


def sinusoids(steps: int, width: int) -> Array:
    """(steps, width): sines in the even columns and cosines in the odd ones."""
    column = np.arange(width)
    angle = np.arange(steps)[:, None] * 10_000.0 ** (-(column - column % 2) / width)
    return np.asarray(np.where(column % 2, np.cos(angle), np.sin(angle)))


def mean_steps(node: Node, step: int, x: Array) -> Array:
    total = np.zeros((x.shape[0], x.shape[2]), x.dtype)
    for at in range(x.shape[1]):
        total = total + x[:, at]
    return np.asarray(total / x.dtype.type(x.shape[1]))


def spread_steps(node: Node, step: int, g: Array) -> Array:
    return np.repeat((g / g.dtype.type(node.sizes["t"]))[:, None], node.sizes["t"], axis=1)


ROWS: dict[str, Op] = {
    "embedding": Op(
        Signature("(b,t)u,(v,d)->(b,t,d)"),
        lambda n, s, tokens, table: table[tokens],
        lambda n, g: (
            None,
            apply("embedding_gradient", n.sources[0], g, sizes={"v": n.sizes["v"]}),
        ),
        flops=lambda sizes: 0,
        below="v",
    ),
    "embedding_gradient": Op(
        Signature("(b,t)u,(b,t,d)->(v,d)"),
        embedding_slope,
        flops=lambda sizes: sizes["b"] * sizes["t"] * sizes["d"],
    ),
    "positions": Op(
        Signature("(b,t,d)->(b,t,d)"),
        lambda n, s, x: x + sinusoids(*x.shape[1:]).astype(x.dtype),
        lambda n, g: (g,),
        # a wave costs about 60 operations a number and is made once for all rows
        flops=lambda sizes: (sizes["b"] + 60) * sizes["t"] * sizes["d"],
        scratch=lambda sizes: sizes["t"] * sizes["d"],
        in_place=True,
    ),
    "mean_steps": Op(
        Signature("(b,t,d)->(b,d)"),
        mean_steps,
        lambda n, g: (apply("spread_steps", g, sizes={"t": n.sizes["t"]}),),
    ),
    "spread_steps": Op(Signature("(b,d)->(b,t,d)"), spread_steps),
}

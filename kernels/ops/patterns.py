"""Divergent patterns: seeded exploration on top of gradient descent."""

import numpy as np

from kernels import philox
from kernels.graph import Node
from kernels.ops.chance import STREAM
from kernels.ops.table import Array, Op
from kernels.signature import Signature


def lateral(node: Node, step: int, g: Array) -> None:
    words = philox.draw(node.attributes, step, len(g)) >> np.uint64(8)
    noise = (words.sum(axis=1).astype(np.float64) - 2**25) * 2.0**-24
    exact = g.astype(np.float64)
    squares = float(exact @ exact)
    if squares == 0:
        return
    noise -= float(noise @ exact) / squares * exact
    across = float(noise @ noise)
    if across == 0:
        return
    fade = 1 - step / int(node.attributes["steps_total"])
    g += float(node.attributes["factor"]) * fade * np.sqrt(squares / across) * noise


def logistic_map(node: Node, step: int, state: Array, rate: Array) -> None:
    of = state.dtype.type
    growth, factor = of(node.attributes["growth"]), of(node.attributes["factor"])
    x = state[0]
    if not 0 < x < 1:
        word = int(philox.draw(node.attributes, step, 1)[0, 0]) >> 9
        x = of((word + 0.5) * 2.0**-23)
    state[0] = x = growth * x * (of(1) - x)
    rate[0] *= of(1) + factor * (of(2) * x - of(1))


ROWS: dict[str, Op] = {
    "lateral": Op(
        Signature("(n)->"),
        lateral,
        attributes={"factor": float, "steps_total": int} | STREAM,
        flops=50,
        counts_steps=True,
        scratch=lambda sizes: sizes["n"],
    ),
    "logistic_map": Op(
        Signature("(1),(1)->"),
        logistic_map,
        attributes={"growth": float, "factor": float} | STREAM,
        flops=50,
        counts_steps=True,
    ),
}

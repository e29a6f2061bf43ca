"""Divergent patterns: seeded exploration on top of gradient descent."""

import numpy as np

from kernels import philox
from kernels.graph import Node
from kernels.ops.chance import STREAM
from kernels.ops.elementwise import sigmoid
from kernels.ops.table import Array, Attributes, Op, apply
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


ATTEMPTS, SHIFT_INDEX = 16, 2**32 - 1


def beta_share(attributes: Attributes, step: int, row: int) -> float:
    """From Beta(factor, factor), by Jöhnk's method as c/pattern.c describes it."""
    factor = float(attributes["factor"])
    if not factor > 0:
        return 1.0
    words = philox.draw(attributes, step, ATTEMPTS, first=row * ATTEMPTS) >> np.uint64(9)
    logs = np.log((words.reshape(-1, 2) + 0.5) * 2.0**-23) / factor
    fitting = logs[np.exp(logs).sum(axis=1) <= 1]
    return float(sigmoid(fitting[0, 0] - fitting[0, 1])) if len(fitting) else 0.5


def partners(node: Node, step: int, rows: int) -> tuple[Array, Array]:
    """Which row belongs to which, and what share of it is kept: both (rows,)."""
    word = int(philox.draw(node.attributes, step, 1, first=SHIFT_INDEX)[0, 0])
    shift = 1 + (word * (rows - 1) >> 32)
    shares = [beta_share(node.attributes, step, row) for row in range(rows)]
    return (np.arange(rows) + shift) % rows, np.array(shares)


def mixup(node: Node, step: int, x: Array) -> Array:
    partner, shares = partners(node, step, len(x))
    share = shares.astype(x.dtype)[:, None]
    return np.asarray(share * x + (1 - share) * x[partner])


def mixup_slope(node: Node, step: int, g: Array) -> Array:
    partner, shares = partners(node, step, len(g))
    share = shares.astype(g.dtype)[:, None]
    out = share * g
    out[partner] += (1 - share) * g
    return np.asarray(out)


MIXING: dict[str, type] = {"factor": float} | STREAM


ROWS: dict[str, Op] = {
    "lateral": Op(
        Signature("(n)->"),
        lateral,
        attributes={"factor": float, "steps_total": int} | STREAM,
        flops=50,
        counts_steps=True,
        scratch=lambda sizes: sizes["n"],
    ),
    "mixup": Op(
        Signature("(m,n)->(m,n)"),
        mixup,
        lambda n, g: (apply("mixup_gradient", g, attributes=n.attributes),),
        attributes=MIXING,
        flops=lambda sizes: sizes["m"] * (3 * sizes["n"] + 300),
        counts_steps=True,
        scratch=lambda sizes: sizes["m"],
    ),
    "mixup_gradient": Op(
        Signature("(m,n)->(m,n)"),
        mixup_slope,
        attributes=MIXING,
        flops=lambda sizes: sizes["m"] * (3 * sizes["n"] + 300),
        counts_steps=True,
        scratch=lambda sizes: sizes["m"],
    ),
    "logistic_map": Op(
        Signature("(1),(1)->"),
        logistic_map,
        attributes={"growth": float, "factor": float} | STREAM,
        flops=50,
        counts_steps=True,
    ),
}

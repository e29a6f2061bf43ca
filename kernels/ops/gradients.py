"""What is done to gradients before anything moves: cut, regularised, gathered over several batches,
and measured.

Gathering: `accumulate` adds the gradients of batches to a total, and `due` ends the step until
there are `every` of them; what follows it in a program runs every so many steps, and finds their
mean in place of the gradient. `waited` and `every` are floats, whole ones, since checkpoints hold
floats.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op
from kernels.signature import Signature

SUMS = 8


def squares(x: Array) -> float:
    """In double precision: element i goes to running sum i modulo 8, the eight are added in
    pairs.
    """
    padded = np.zeros(-(-len(x) // SUMS) * SUMS)
    padded[: len(x)] = x.astype(np.float64) ** 2
    a, b, c, d, e, f, g, h = np.cumsum(padded.reshape(-1, SUMS), axis=0)[-1].tolist()
    return float(((a + b) + (c + d)) + ((e + f) + (g + h)))


def clip_norm(node: Node, step: int, g: Array) -> None:
    limit = float(g.dtype.type(node.attributes["limit"]))
    norm = np.sqrt(squares(g))
    if norm > limit:
        g *= g.dtype.type(limit / norm)


def clip_value(node: Node, step: int, g: Array) -> None:
    limit = g.dtype.type(node.attributes["limit"])
    np.clip(g, -limit, limit, out=g)


def regularise(node: Node, step: int, g: Array, p: Array) -> None:
    l1, l2 = (g.dtype.type(node.attributes[name]) for name in ("l1", "l2"))
    g += l2 * p + l1 * np.sign(p)


def accumulate(node: Node, step: int, total: Array, g: Array, waited: Array, every: Array) -> None:
    total[:] = total + g if waited[0] else g
    if waited[0] + 1 >= every[0]:
        total *= g.dtype.type(1) / (waited[0] + 1)
        g[:] = total


def due(node: Node, step: int, waited: Array, every: Array) -> None:
    """The reference runs whole steps: what follows must not be asked of it before it is due."""
    waited[0] = (waited[0] + 1) % max(1, every[0])


def measure_noise(
    node: Node, step: int, sums: Array, g: Array, total: Array, waited: Array, every: Array
) -> None:
    is_first, is_single = sums[1] == 0, every[0] <= 1
    gathered = waited[0] + 1
    sums[:2] += np.array([squares(g), 1], sums.dtype)
    if is_first if is_single else gathered < max(2, every[0]):
        return
    group = 2 if is_single else gathered
    sums[2:] += np.array([squares((g + total) * g.dtype.type(1 / group)), 1], sums.dtype)


LIMIT = {"limit": float}

ROWS: dict[str, Op] = {
    "clip_norm": Op(Signature("(n)->"), clip_norm, attributes=LIMIT, flops=3),
    "clip_value": Op(Signature("(n)->"), clip_value, attributes=LIMIT, flops=2),
    "regularise": Op(
        Signature("(n),(n)->"), regularise, attributes={"l1": float, "l2": float}, flops=5
    ),
    "accumulate": Op(Signature("(n),(n),(1),(1)->"), accumulate, flops=2),
    "due": Op(Signature("(1),(1)->"), due, decides=True),
    "measure_noise": Op(Signature("(4),(n),(n),(1),(1)->"), measure_noise, flops=6),
}

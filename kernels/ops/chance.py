"""What chance decides: first weights, dropped units, the order of rows."""

import numpy as np

from kernels import philox
from kernels.graph import Node
from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature


def uniform(node: Node, step: int) -> Array:
    words = philox.words24(node.attributes, 0, node.sizes["count"]).astype(np.float32)
    spread = (words * np.float32(2.0**-23) - np.float32(1)) * np.float32(node.attributes["bound"])
    return np.asarray(spread + np.float32(node.attributes["center"]))


def dropout(node: Node, step: int, x: Array) -> Array:
    words = philox.words24(node.attributes, step, x.size).reshape(x.shape)
    scaled = x * x.dtype.type(node.attributes["scale"])
    kept = words >= np.uint64(node.attributes["drop_below"])
    return np.asarray(np.where(kept, scaled, x.dtype.type(0)))


def shuffle(node: Node, step: int, order: Array, tag: Array) -> None:
    epoch = step // int(node.attributes["steps_per_epoch"])
    order[:] = np.arange(len(order))
    words = philox.draw(node.attributes, epoch, len(order))[:, 0]
    for i in range(len(order) - 1, 0, -1):
        j = (int(words[i]) * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    tag[0] = epoch + 1


STREAM: dict[str, type] = {"seed_low": int, "seed_high": int, "purpose": int}


ROWS: dict[str, Op] = {
    "uniform": Op(
        Signature("->(...)"),
        uniform,
        attributes={"bound": float, "center": float} | STREAM,
        flops=30,
    ),
    "dropout": Op(
        Signature("(...)->(...)"),
        dropout,
        lambda n, g: (apply("dropout", g, attributes=n.attributes),),
        attributes={"drop_below": int, "scale": float} | STREAM,
        flops=30,
        in_place=True,
        counts_steps=True,
    ),
    "shuffle": Op(
        Signature("(n)u,(1)u->"),
        shuffle,
        attributes={"steps_per_epoch": int} | STREAM,
        flops=0,
        counts_steps=True,
    ),
}

"""Losses and what measures them: a mean over the rows, and how many were right.

A loss is (2): the mean that is made small, and a sum over the rows of what people read: right
answers, errors. The gradient of the loss in itself is one; where losses are added, each slope is
weighed by what the total gives it.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Gradient, Op, apply, part
from kernels.signature import Signature


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def cross_entropy(node: Node, step: int, x: Array, labels: Array) -> tuple[Array, Array]:
    peak = x.max(axis=1, keepdims=True)
    logs = np.log(np.exp(x - peak).sum(axis=1, keepdims=True)) + peak
    right = np.take_along_axis(x, labels, axis=1)
    hits = (x.argmax(axis=1) == labels[:, 0]).sum()
    return np.array([(logs - right).mean(), hits], x.dtype), logs


def cross_entropy_slope(node: Node, step: int, x: Array, labels: Array, logs: Array) -> Array:
    out = np.exp(x - logs)
    out[np.arange(len(x)), labels[:, 0]] -= 1
    return np.asarray(out / x.dtype.type(len(x)))


def cross_entropy_gradient(node: Node, g: Node) -> tuple[Node | None, ...]:
    slope = apply("cross_entropy_gradient", *node.sources, part(node, 1))
    return weighed(slope, node, g), None


def record(node: Node, step: int, statistics: Array, losses: Array, corrects: Array) -> None:
    losses[step % len(losses)], corrects[step % len(losses)] = statistics


def weighed(slope: Node, loss: Node, upstream: Node) -> Node:
    """The slope of a loss, where the loss is a part of another: the chain starts where the loss is
    its own upstream.
    """
    return slope if upstream is loss else apply("weigh", slope, upstream)


def scored(name: str) -> Gradient:
    """A loss of predictions, the first source; what they are held to are constants."""

    def rule(node: Node, g: Node) -> tuple[Node | None, ...]:
        slope = apply(name, *node.sources, attributes=node.attributes)
        return weighed(slope, node, g), *[None] * (len(node.sources) - 1)

    return rule


def add_losses(node: Node, step: int, first: Array, second: Array) -> Array:
    of = first.dtype.type
    weights = of(node.attributes["first_weight"]), of(node.attributes["second_weight"])
    return np.array([weights[0] * first[0] + weights[1] * second[0], first[1]], first.dtype)


def shares(node: Node, g: Node) -> tuple[Node, Node]:
    """What the two losses of a sum give to it."""
    first, second = (
        apply("constant", sizes={"count": 2}, attributes={"value": weight})
        if g is node
        else apply("scale", g, attributes={"value": weight})
        for weight in (node.attributes["first_weight"], node.attributes["second_weight"])
    )
    return first, second


def one_hot(node: Node, step: int, labels: Array) -> Array:
    return np.asarray(np.arange(node.sizes["n"]) == labels, np.float32)


ROWS: dict[str, Op] = {
    "softmax": Op(Signature("(m,n)->(m,n)"), lambda n, s, x: softmax(x), flops=22),
    "cross_entropy": Op(
        Signature("(m,n),(m,1)u->(2),(m,1)"), cross_entropy, cross_entropy_gradient, flops=24
    ),
    "cross_entropy_gradient": Op(
        Signature("(m,n),(m,1)u,(m,1)->(m,n)"), cross_entropy_slope, flops=20
    ),
    "add_losses": Op(
        Signature("(2),(2)->(2)"),
        add_losses,
        shares,
        attributes={"first_weight": float, "second_weight": float},
    ),
    "weigh": Op(Signature("(...),(2)->(...)"), lambda n, s, x, g: x * g[0], in_place=True),
    "scale": Op(
        Signature("(...)->(...)"),
        lambda n, s, x: x * x.dtype.type(n.attributes["value"]),
        lambda n, g: (apply("scale", g, attributes=n.attributes),),
        attributes={"value": float},
        in_place=True,
    ),
    "constant": Op(
        Signature("->(...)"),
        lambda n, s: np.full(n.sizes["count"], n.attributes["value"], np.float32),
        attributes={"value": float},
    ),
    "one_hot": Op(Signature("(m,1)u->(m,n)"), one_hot, below="n"),
    "record": Op(Signature("(2),(p),(p)->"), record, flops=0, counts_steps=True, decides=True),
}

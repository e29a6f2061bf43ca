"""Losses and what measures them: a mean over the rows, and how many were right."""

import numpy as np

from kernels.graph import Node
from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def cross_entropy(node: Node, step: int, x: Array, labels: Array) -> Array:
    peak = x.max(axis=1)
    logs = np.log(np.exp(x - peak[:, None]).sum(axis=1)) + peak
    right = x[np.arange(len(x)), labels[:, 0]]
    return np.array([(logs - right).mean(), (x.argmax(axis=1) == labels[:, 0]).sum()], x.dtype)


def cross_entropy_slope(node: Node, step: int, x: Array, labels: Array) -> Array:
    out = softmax(x)
    out[np.arange(len(x)), labels[:, 0]] -= 1
    return np.asarray(out / x.dtype.type(len(x)))


def record(node: Node, step: int, statistics: Array, losses: Array, corrects: Array) -> None:
    losses[step % len(losses)], corrects[step % len(losses)] = statistics


ROWS: dict[str, Op] = {
    "softmax": Op(Signature("(m,n)->(m,n)"), lambda n, s, x: softmax(x), flops=22),
    "cross_entropy": Op(
        Signature("(m,n),(m,1)u->(2)"),
        cross_entropy,
        # the chain starts here: the gradient of the loss in itself is one
        lambda n, g: (apply("cross_entropy_gradient", *n.sources), None),
        flops=24,
        scratch=lambda sizes: sizes["n"],
    ),
    "cross_entropy_gradient": Op(Signature("(m,n),(m,1)u->(m,n)"), cross_entropy_slope, flops=24),
    "record": Op(Signature("(2),(p),(p)->"), record, flops=0, counts_steps=True, decides=True),
}

"""Losses that are likelihoods: of weighted or smoothed classes, of shares of classes, of yes and
no, and the divergence of a Gaussian from the standard one.

All are (2), as kernels.ops.losses says. `weighted_cross_entropy` divides by the weights of the
labels it met, as PyTorch does; `soft_cross_entropy` takes shares of classes instead of labels, as
mixed examples and teachers give them.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.elementwise import sigmoid
from kernels.ops.losses import scored, softmax, weighed
from kernels.ops.table import Array, Op, apply
from kernels.signature import Signature


def costs(x: Array) -> Array:
    """-log softmax of each row."""
    away = x - x.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(away).sum(axis=1, keepdims=True)) - away)


def label_shares(node: Node, x: Array, labels: Array, weights: Array) -> Array:
    """What each class weighs in each row's loss: (m, n), with the mean's divisor."""
    smoothing = x.dtype.type(node.attributes["smoothing"])
    one_hot = np.arange(x.shape[1]) == labels
    smooth = (1 - smoothing) * one_hot * weights[labels] + smoothing / x.shape[1] * weights
    return np.asarray(smooth / weights[labels].sum())


def weighted_cross_entropy(node: Node, step: int, x: Array, labels: Array, weights: Array) -> Array:
    loss = (label_shares(node, x, labels, weights) * costs(x)).sum()
    return np.array([loss, (x.argmax(axis=1) == labels[:, 0]).sum()], x.dtype)


def weighted_cross_entropy_slope(
    node: Node, step: int, x: Array, labels: Array, weights: Array
) -> Array:
    shares = label_shares(node, x, labels, weights)
    return np.asarray(softmax(x) * shares.sum(axis=1, keepdims=True) - shares)


def soft_cross_entropy(node: Node, step: int, x: Array, t: Array) -> Array:
    right = (x.argmax(axis=1) == t.argmax(axis=1)).sum()
    return np.array([(t * costs(x)).sum(axis=1).mean(), right], x.dtype)


def soft_cross_entropy_slope(node: Node, step: int, x: Array, t: Array) -> Array:
    return np.asarray((softmax(x) * t.sum(axis=1, keepdims=True) - t) / x.dtype.type(len(x)))


def binary_cross_entropy(node: Node, step: int, x: Array, t: Array) -> Array:
    cost = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    return np.array([cost.mean(), ((x > 0) == (t > 0.5)).mean(axis=1).sum()], x.dtype)


def binary_cross_entropy_slope(node: Node, step: int, x: Array, t: Array) -> Array:
    return np.asarray((sigmoid(x) - t) / x.dtype.type(x.size))


def divergence(node: Node, step: int, mean: Array, spread: Array) -> Array:
    rows = (0.5 * (mean * mean + np.exp(spread) - 1 - spread)).sum(axis=1)
    return np.array([rows.mean(), rows.sum()], mean.dtype)


def divergence_slopes(node: Node, g: Node) -> tuple[Node, Node]:
    mean, spread = node.sources
    return (
        weighed(apply("divergence_mean_gradient", mean), node, g),
        weighed(apply("divergence_spread_gradient", spread), node, g),
    )


LABELLED = {"smoothing": float}

ROWS: dict[str, Op] = {
    "weighted_cross_entropy": Op(
        Signature("(m,n),(m,1)u,(n)->(2)"),
        weighted_cross_entropy,
        scored("weighted_cross_entropy_gradient"),
        attributes=LABELLED,
        flops=28,
    ),
    "weighted_cross_entropy_gradient": Op(
        Signature("(m,n),(m,1)u,(n)->(m,n)"),
        weighted_cross_entropy_slope,
        attributes=LABELLED,
        flops=25,
    ),
    "soft_cross_entropy": Op(
        Signature("(m,n),(m,n)->(2)"),
        soft_cross_entropy,
        scored("soft_cross_entropy_gradient"),
        flops=28,
    ),
    "soft_cross_entropy_gradient": Op(
        Signature("(m,n),(m,n)->(m,n)"), soft_cross_entropy_slope, flops=26
    ),
    "binary_cross_entropy": Op(
        Signature("(m,n),(m,n)->(2)"),
        binary_cross_entropy,
        scored("binary_cross_entropy_gradient"),
        flops=55,
    ),
    "binary_cross_entropy_gradient": Op(
        Signature("(m,n),(m,n)->(m,n)"), binary_cross_entropy_slope, flops=27, in_place=True
    ),
    "divergence": Op(Signature("(m,n),(m,n)->(2)"), divergence, divergence_slopes, flops=27),
    "divergence_mean_gradient": Op(
        Signature("(m,n)->(m,n)"), lambda n, s, mean: mean * mean.dtype.type(1 / len(mean))
    ),
    "divergence_spread_gradient": Op(
        Signature("(m,n)->(m,n)"),
        lambda n, s, spread: (np.exp(spread) - 1) * spread.dtype.type(0.5 / len(spread)),
        flops=22,
    ),
}

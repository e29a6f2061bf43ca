"""Examples of kernels/ops/likelihoods.py."""

import numpy as np

from kernels.ops import apply


def weighted(name):
    return lambda x, a, b, c: apply(
        name,
        x.floats(a, b),
        x.whole(b, a, 1),
        x.positive(b),
        attributes={"smoothing": 0.1},
    )


def shared(name):
    def make(x, a, b, c):
        shares = np.exp(x.rng.standard_normal((a, b)))
        shares /= shares.sum(axis=1, keepdims=True)
        return apply(name, x.floats(a, b), x.holding(shares.astype(np.float32)))

    return make


def binary(name):
    return lambda x, a, b, c: apply(
        name, x.floats(a, b), x.holding(x.rng.random((a, b), np.float32))
    )


EXAMPLES = {
    "weighted_cross_entropy": weighted("weighted_cross_entropy"),
    "weighted_cross_entropy_gradient": weighted("weighted_cross_entropy_gradient"),
    "soft_cross_entropy": shared("soft_cross_entropy"),
    "soft_cross_entropy_gradient": shared("soft_cross_entropy_gradient"),
    "binary_cross_entropy": binary("binary_cross_entropy"),
    "binary_cross_entropy_gradient": binary("binary_cross_entropy_gradient"),
    "divergence": lambda x, a, b, c: apply("divergence", x.floats(a, b), x.floats(a, b)),
    "divergence_mean_gradient": lambda x, a, b, c: apply(
        "divergence_mean_gradient", x.floats(a, b)
    ),
    "divergence_spread_gradient": lambda x, a, b, c: apply(
        "divergence_spread_gradient", x.floats(a, b)
    ),
}
TOLERANCES = {
    "weighted_cross_entropy": 2e-6,
    "weighted_cross_entropy_gradient": 1e-6,
    "soft_cross_entropy": 2e-6,
    "soft_cross_entropy_gradient": 1e-6,
    "binary_cross_entropy": 1e-6,
    "binary_cross_entropy_gradient": 1e-6,
    "divergence": 2e-6,
    "divergence_spread_gradient": 1e-6,
}

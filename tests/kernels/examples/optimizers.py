"""Examples of kernels/ops/optimizers.py."""

import numpy as np

from kernels.ops import apply

BETAS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def rate(x):
    return x.holding(np.array([0.01], np.float32))


def adam(name, attributes):
    def make(x, a, b, c):
        sources = [x.floats(a * b) for _ in range(3)] + [x.positive(a * b)]
        steps = x.holding(np.array([c], np.float32))
        return apply(name, *sources, rate(x), steps, attributes=attributes)

    return make


def sgd(x, a, b, c):
    attributes = {"momentum": 0.9, "nesterov": c % 2}
    return apply("sgd", *(x.floats(a * b) for _ in range(3)), rate(x), attributes=attributes)


def rmsprop(x, a, b, c):
    attributes = {"keep": 0.99, "momentum": 0.5, "epsilon": 1e-8}
    sources = x.floats(a * b), x.floats(a * b), x.positive(a * b), x.floats(a * b), rate(x)
    return apply("rmsprop", *sources, attributes=attributes)


def adagrad(x, a, b, c):
    sources = x.floats(a * b), x.floats(a * b), x.positive(a * b), rate(x)
    return apply("adagrad", *sources, attributes={"epsilon": 1e-10})


EXAMPLES = {
    "adam": adam("adam", BETAS),
    "adamw": adam("adamw", BETAS | {"decay": 0.1}),
    "sgd": sgd,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
}
TOLERANCES = {}

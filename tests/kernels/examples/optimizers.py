"""Examples of kernels/ops/optimizers.py."""

from kernels.ops import apply

ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
SGD = {"learning_rate": 0.01, "momentum": 0.9}


def adam(x, a, b, c):
    sources = [x.floats(a * b) for _ in range(3)] + [x.positive(a * b)]
    return apply("adam", *sources, attributes=ADAM)


def sgd(x, a, b, c):
    return apply("sgd", *(x.floats(a * b) for _ in range(3)), attributes=SGD)


EXAMPLES = {"adam": adam, "sgd": sgd}
TOLERANCES = {}

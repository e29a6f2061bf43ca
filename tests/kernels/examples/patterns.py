"""Examples of kernels/ops/patterns.py."""

import numpy as np

from kernels.ops import apply
from tests.kernels.examples.chance import DRAWS


def lateral(x, a, b, c):
    attributes = {"factor": 0.3, "steps_total": 100} | DRAWS
    return apply("lateral", x.floats(a * b), attributes=attributes)


def logistic_map(x, a, b, c):
    state = np.float32([0 if a == 1 else 1 / a])
    attributes = {"growth": 3.99, "factor": 0.3} | DRAWS
    return apply("logistic_map", x.holding(state), x.positive(1), attributes=attributes)


def mixup(name):
    """Some with a factor of zero, which mixes nothing."""
    return lambda x, a, b, c: apply(name, x.floats(a, b), attributes={"factor": c % 5 / 5} | DRAWS)


EXAMPLES = {
    "lateral": lateral,
    "mixup": mixup("mixup"),
    "mixup_gradient": mixup("mixup_gradient"),
    "logistic_map": logistic_map,
}
TOLERANCES = {"lateral": 2e-6, "mixup": 3e-6, "mixup_gradient": 3e-6}

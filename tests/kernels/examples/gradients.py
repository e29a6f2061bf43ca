"""Examples of kernels/ops/gradients.py."""

import numpy as np

from kernels.ops import apply


def counts(x, b, c):
    """How many batches were gathered before this one, and of how many."""
    every = b % 4
    waited = c % every if every else 0
    return x.holding(np.float32([waited])), x.holding(np.float32([every]))


def measure_noise(x, a, b, c):
    sums = x.holding(np.float32([3.5, a % 2, 1.5, 1]))
    return apply("measure_noise", sums, x.floats(a * b), x.floats(a * b), *counts(x, b, c))


EXAMPLES = {
    "clip_norm": lambda x, a, b, c: apply(
        "clip_norm", x.floats(a * b), attributes={"limit": float(b)}
    ),
    "clip_value": lambda x, a, b, c: apply(
        "clip_value", x.floats(a * b), attributes={"limit": 0.5}
    ),
    "regularise": lambda x, a, b, c: apply(
        "regularise", x.floats(a * b), x.floats(a * b), attributes={"l1": 0.01, "l2": 0.1}
    ),
    "accumulate": lambda x, a, b, c: apply(
        "accumulate", x.floats(a * b), x.floats(a * b), *counts(x, b, c)
    ),
    "due": lambda x, a, b, c: apply("due", *counts(x, b, c)),
    "measure_noise": measure_noise,
}
TOLERANCES = {}

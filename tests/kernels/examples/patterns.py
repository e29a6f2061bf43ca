"""Examples of kernels/ops/patterns.py."""

from kernels.ops import apply
from tests.kernels.examples.chance import DRAWS


def lateral(x, a, b, c):
    attributes = {"factor": 0.3, "steps_total": 100} | DRAWS
    return apply("lateral", x.floats(a * b), attributes=attributes)


EXAMPLES = {"lateral": lateral}
TOLERANCES = {"lateral": 2e-6}

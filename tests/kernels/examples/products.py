"""Examples of kernels/ops/products.py."""

from kernels.ops import apply
from kernels.ops.products import ACTIVATIONS


def dense(x, a, b, c, activation=None):
    """Another activation for other sizes, unless one is asked for."""
    attributes = {
        "activation": (a + b + c) % len(ACTIVATIONS) if activation is None else activation
    }
    return apply("dense", x.floats(a, b), x.floats(b, c), x.floats(c), attributes=attributes)


EXAMPLES = {
    "matmul_nn": lambda x, a, b, c: apply("matmul_nn", x.floats(a, b), x.floats(b, c)),
    "matmul_nt": lambda x, a, b, c: apply("matmul_nt", x.floats(a, b), x.floats(c, b)),
    "matmul_tn": lambda x, a, b, c: apply("matmul_tn", x.floats(b, a), x.floats(b, c)),
    "dense": dense,
}
TOLERANCES = {"dense": 3e-6}

"""Examples of kernels/ops/losses.py."""

from kernels.ops import apply


def labelled(name):
    return lambda x, a, b, c: apply(name, x.floats(a, b), x.whole(b, a, 1))


EXAMPLES = {
    "softmax": lambda x, a, b, c: apply("softmax", x.floats(a, b)),
    "cross_entropy": labelled("cross_entropy"),
    "cross_entropy_gradient": labelled("cross_entropy_gradient"),
    "record": lambda x, a, b, c: apply("record", x.floats(2), x.floats(a), x.floats(a)),
}
TOLERANCES = {"softmax": 2e-6, "cross_entropy": 5e-6, "cross_entropy_gradient": 2e-6}

"""Examples of kernels/ops/losses.py."""

from kernels.ops import apply


def cross_entropy_gradient(x, a, b, c):
    logs = x.positive(a, 1)  # as large as sums of exponentials have them, more or less
    return apply("cross_entropy_gradient", x.floats(a, b), x.whole(b, a, 1), logs)


EXAMPLES = {
    "softmax": lambda x, a, b, c: apply("softmax", x.floats(a, b)),
    "cross_entropy": lambda x, a, b, c: apply("cross_entropy", x.floats(a, b), x.whole(b, a, 1)),
    "cross_entropy_gradient": cross_entropy_gradient,
    "add_losses": lambda x, a, b, c: apply(
        "add_losses",
        x.floats(2),
        x.floats(2),
        attributes={"first_weight": 0.75, "second_weight": 0.3},
    ),
    "weigh": lambda x, a, b, c: apply("weigh", x.floats(a, b), x.floats(2)),
    "scale": lambda x, a, b, c: apply("scale", x.floats(a, b), attributes={"value": 0.3}),
    "constant": lambda x, a, b, c: apply(
        "constant", sizes={"count": a * b}, attributes={"value": 0.3}
    ),
    "one_hot": lambda x, a, b, c: apply("one_hot", x.whole(b, a, 1), sizes={"n": b}),
    "record": lambda x, a, b, c: apply("record", x.floats(2), x.floats(a), x.floats(a)),
}
TOLERANCES = {"softmax": 2e-6, "cross_entropy": 5e-6, "cross_entropy_gradient": 2e-6}

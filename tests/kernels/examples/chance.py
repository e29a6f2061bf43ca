"""Examples of kernels/ops/chance.py."""

from kernels.ops import apply
from kernels.philox import stream

DRAWS = stream(0x1234_5678_9ABC_DEF0, 77)


def uniform(x, a, b, c):
    return apply(
        "uniform", sizes={"count": a * b}, attributes={"bound": 0.3, "center": 1.5} | DRAWS
    )


def dropout(x, a, b, c):
    attributes = {"drop_below": 2**22, "scale": 4 / 3} | DRAWS
    return apply("dropout", x.floats(a, b), attributes=attributes)


def shuffle(x, a, b, c):
    attributes = {"steps_per_epoch": 3} | DRAWS
    return apply("shuffle", x.whole(1, a), x.whole(1, 1), attributes=attributes)


EXAMPLES = {"uniform": uniform, "dropout": dropout, "shuffle": shuffle}
TOLERANCES = {}

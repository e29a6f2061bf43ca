"""Examples of kernels/ops/elementwise.py."""

from kernels.ops import apply
from kernels.ops import elementwise as family

UNARY = ["relu", "leaky_relu", "elu", "silu", "gelu", "sigmoid", "tanh", "exp", "erf", "copy"]
BINARY = ["sum", "product", "quotient"]
BINARY += [name for name in family.ROWS if name.endswith("_gradient")]


def unary(name):
    return lambda x, a, b, c: apply(name, x.floats(a, b))


def binary(name):
    return lambda x, a, b, c: apply(name, x.floats(a, b), x.floats(a, b))


EXAMPLES = (
    {name: unary(name) for name in UNARY}
    | {name: binary(name) for name in BINARY}
    | {
        "log": lambda x, a, b, c: apply("log", x.positive(a, b)),
        "bias": lambda x, a, b, c: apply("bias", x.floats(a, b), x.floats(b)),
        "sum_rows": lambda x, a, b, c: apply("sum_rows", x.floats(a, b)),
    }
)
TOLERANCES = {
    "elu": 3e-6,
    "silu": 2e-6,
    "gelu": 2e-6,
    "sigmoid": 1e-6,
    "tanh": 1e-6,
    "exp": 1e-6,
    "log": 1e-6,
    "erf": 1e-6,
    "silu_gradient": 1e-5,
    "gelu_gradient": 1e-5,
}

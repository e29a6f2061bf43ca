"""Examples of kernels/ops/regression.py."""

from kernels.ops import apply

SHAPES = {"squared_error": {}, "absolute_error": {}, "huber": {"delta": 0.7}}
SHAPES |= {"quantile": {"tau": 0.9}}


def compared(name, attributes):
    return lambda x, a, b, c: apply(name, x.floats(a, b), x.floats(a, b), attributes=attributes)


EXAMPLES = {
    name + kind: compared(name + kind, attributes)
    for name, attributes in SHAPES.items()
    for kind in ("", "_gradient")
}
TOLERANCES = dict.fromkeys(SHAPES, 1e-6)

"""Examples of kernels/ops/norm.py."""

from kernels.ops import apply

EPSILON = {"epsilon": 1e-5}


def layer_norm(x, a, b, c):
    return apply("layer_norm", x.floats(a, b), x.floats(b), x.floats(b), attributes=EPSILON)


def layer_norm_gradient(x, a, b, c):
    sources = x.floats(a, b), x.floats(b), x.floats(a, 2), x.floats(a, b)
    return apply("layer_norm_gradient", *sources)


EXAMPLES = {"layer_norm": layer_norm, "layer_norm_gradient": layer_norm_gradient}
TOLERANCES = {"layer_norm": 5e-6, "layer_norm_gradient": 5e-6}

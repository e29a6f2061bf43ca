"""Examples of kernels/ops/recurrent.py."""

import numpy as np

from kernels.ops import apply


def recurrent(x, width):
    """Weights as small as those of a network, so that a sum over many steps does not run away."""
    values = x.rng.standard_normal((width, 4 * width)) / (2 * np.sqrt(width))
    return x.holding(values.astype(np.float32))


def lstm(x, a, b, c):
    sources = x.floats(a, b, 4 * c), recurrent(x, c)
    return apply("lstm", *sources, attributes={"reverse": a % 2})


def lstm_gradient(x, a, b, c):
    kept = x.rng.uniform(-1, 1, (a, b, 6 * c)).astype(np.float32)
    sources = x.floats(a, b, c), x.holding(kept), recurrent(x, c)
    return apply("lstm_gradient", *sources, attributes={"reverse": a % 2})


def previous(x, a, b, c):
    return apply("previous", x.floats(a, b, c), attributes={"reverse": a % 2})


def take_step(x, a, b, c):
    return apply("take_step", x.floats(a, b, c), attributes={"at": b // 2})


def place_step(x, a, b, c):
    return apply("place_step", x.floats(a, c), sizes={"t": b}, attributes={"at": b // 2})


def join(x, a, b, c):
    return apply("join", x.floats(a, b), x.floats(a, c), sizes={"n": b + c})


def take_columns(x, a, b, c):
    return apply("take_columns", x.floats(a, b + c), sizes={"p": b}, attributes={"first": c})


def place_columns(x, a, b, c):
    return apply("place_columns", x.floats(a, b), sizes={"n": b + c}, attributes={"first": c})


EXAMPLES = {
    "lstm": lstm,
    "lstm_gradient": lstm_gradient,
    "previous": previous,
    "take_step": take_step,
    "place_step": place_step,
    "join": join,
    "take_columns": take_columns,
    "place_columns": place_columns,
}
TOLERANCES = {"lstm": 2e-6}

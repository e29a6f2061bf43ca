"""Recurrence: the LSTM cell over all steps, and what picks, shifts and joins its sequences.

Sequences are (b, t, h): rows, steps, width. `reverse` 1 walks the steps from the last to the first.
The projection of the inputs is no part of the op: it is one matrix product for all steps, in the
graph before it; so is the gradient in the recurrent weights, after it.
"""

from collections.abc import Sequence

import numpy as np

from kernels.graph import Node, reshape
from kernels.ops.elementwise import sigmoid
from kernels.ops.products import chain
from kernels.ops.table import Array, Op, apply, part
from kernels.signature import Signature, Sizes

ROWS_AT_ONCE, LANES, COLUMNS = 32, 4, 8  # of c/recurrent.c and c/tile.h
SAVED = ("in", "forget", "new", "out", "cell", "bent")  # side by side, for the gradient


def walk(node: Node) -> Sequence[int]:
    """The steps in the order in which they are taken."""
    steps = range(node.sizes["t"])
    return steps[::-1] if node.attributes["reverse"] else steps


def lstm(node: Node, step: int, gates: Array, recurrent: Array) -> tuple[Array, Array]:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000), gates in the
    order of PyTorch: in, forget, new, out.
    """
    rows, steps, width = gates.shape[0], gates.shape[1], recurrent.shape[0]
    hidden = np.zeros((rows, steps, width), gates.dtype)
    saved = np.zeros((rows, steps, len(SAVED) * width), gates.dtype)
    state, cell = np.zeros((2, rows, width), gates.dtype)
    for at in walk(node):
        sums = gates[:, at] + chain(state, recurrent)
        i, f, g, o = np.split(sums, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        cell = f * cell + i * g
        bent = np.tanh(cell)
        state = o * bent
        hidden[:, at] = state
        saved[:, at] = np.concatenate([i, f, g, o, cell, bent], axis=1)
    return hidden, saved


def lstm_slopes(node: Node, step: int, slope: Array, saved: Array, recurrent: Array) -> Array:
    """The gradient in the sums under the gates, from the last step taken to the first."""
    rows, width = slope.shape[0], recurrent.shape[0]
    found = np.zeros((rows, slope.shape[1], 4 * width), slope.dtype)
    state_slope, cell_slope = np.zeros((2, rows, width), slope.dtype)
    order = walk(node)
    for place in reversed(range(len(order))):
        at = order[place]
        i, f, g, o, _, bent = np.split(saved[:, at], 6, axis=1)
        before = saved[:, order[place - 1], 4 * width : 5 * width] if place else np.zeros_like(i)
        h = slope[:, at] + state_slope
        c = cell_slope + h * o * (1 - bent * bent)
        found[:, at] = np.concatenate(
            [
                c * g * (i * (1 - i)),
                c * before * (f * (1 - f)),
                c * i * (1 - g * g),
                h * bent * (o * (1 - o)),
            ],
            axis=1,
        )
        cell_slope = c * f
        state_slope = chain(found[:, at], recurrent.T)
    return found


def lstm_gradient(node: Node, g: Node) -> tuple[Node, Node]:
    """The recurrent weights saw the state of the step before, so their gradient is one product of
    those states with the gradient in the gates: one chain of sums over rows, then steps.
    """
    gates, recurrent = node.sources
    slope = apply("lstm_gradient", g, part(node, 1), recurrent, attributes=node.attributes)
    before = apply("previous", node, attributes=node.attributes)
    rows, width = node.sizes["b"] * node.sizes["t"], node.sizes["h"]
    product = apply("matmul_tn", reshape(before, (rows, width)), reshape(slope, (rows, 4 * width)))
    return slope, product


def previous(node: Node, step: int, x: Array) -> Array:
    out = np.zeros_like(x)
    if node.attributes["reverse"]:
        out[:, :-1] = x[:, 1:]
    else:
        out[:, 1:] = x[:, :-1]
    return out


def place_step(node: Node, step: int, x: Array) -> Array:
    out = np.zeros((x.shape[0], node.sizes["t"], x.shape[1]), x.dtype)
    out[:, int(node.attributes["at"])] = x
    return out


def take_columns(node: Node, step: int, x: Array) -> Array:
    first = int(node.attributes["first"])
    return x[:, first : first + node.sizes["p"]].copy()


def place_columns(node: Node, step: int, x: Array) -> Array:
    out = np.zeros((x.shape[0], node.sizes["n"]), x.dtype)
    first = int(node.attributes["first"])
    out[:, first : first + x.shape[1]] = x
    return out


def join_gradient(node: Node, g: Node) -> tuple[Node, Node]:
    left, right = node.sizes["p"], node.sizes["q"]
    return (
        apply("take_columns", g, sizes={"p": left}, attributes={"first": 0}),
        apply("take_columns", g, sizes={"p": right}, attributes={"first": left}),
    )


def product_scratch(k: int, n: int) -> int:
    """What a product of a block of rows borrows: the right operand (k, n) in panels, the left one
    with each number in four lanes, and the sums.
    """
    panels = -(-n // COLUMNS) * COLUMNS
    return k * panels + ROWS_AT_ONCE * (LANES * k + n)


def lstm_work(sizes: Sizes) -> int:
    h = sizes["h"]
    return sizes["b"] * sizes["t"] * (8 * h * h + 160 * h)


def lstm_gradient_work(sizes: Sizes) -> int:
    h = sizes["h"]
    return sizes["b"] * sizes["t"] * (8 * h * h + 30 * h)


REVERSE: dict[str, type] = {"reverse": int}


ROWS: dict[str, Op] = {
    "lstm": Op(
        Signature("(b,t,4h),(h,4h)->(b,t,h),(b,t,6h)"),
        lstm,
        lstm_gradient,
        attributes=REVERSE,
        flops=lstm_work,
        # and the cells
        scratch=lambda n: product_scratch(n["h"], 4 * n["h"]) + ROWS_AT_ONCE * n["h"],
    ),
    "lstm_gradient": Op(
        Signature("(b,t,h),(b,t,6h),(h,4h)->(b,t,4h)"),
        lstm_slopes,
        attributes=REVERSE,
        flops=lstm_gradient_work,
        # and the gradient in the cells
        scratch=lambda n: product_scratch(4 * n["h"], n["h"]) + ROWS_AT_ONCE * n["h"],
    ),
    "previous": Op(
        Signature("(b,t,h)->(b,t,h)"),
        previous,
        lambda n, g: (
            apply("previous", g, attributes={"reverse": int(not n.attributes["reverse"])}),
        ),
        attributes=REVERSE,
        flops=0,
    ),
    "take_step": Op(
        Signature("(b,t,h)->(b,h)"),
        lambda n, s, x: x[:, int(n.attributes["at"])].copy(),
        lambda n, g: (apply("place_step", g, sizes={"t": n.sizes["t"]}, attributes=n.attributes),),
        attributes={"at": int},
        flops=0,
        holds=lambda sizes, attributes: 0 <= attributes["at"] < sizes["t"],
    ),
    "place_step": Op(
        Signature("(b,h)->(b,t,h)"),
        place_step,
        lambda n, g: (apply("take_step", g, attributes=n.attributes),),
        attributes={"at": int},
        flops=0,
        holds=lambda sizes, attributes: 0 <= attributes["at"] < sizes["t"],
    ),
    "join": Op(
        Signature("(m,p),(m,q)->(m,n)"),
        lambda n, s, x, y: np.concatenate([x, y], axis=1),
        join_gradient,
        flops=0,
        holds=lambda sizes, attributes: sizes["n"] == sizes["p"] + sizes["q"],
    ),
    "take_columns": Op(
        Signature("(m,n)->(m,p)"),
        take_columns,
        lambda n, g: (
            apply("place_columns", g, sizes={"n": n.sizes["n"]}, attributes=n.attributes),
        ),
        attributes={"first": int},
        flops=0,
        holds=lambda sizes, attributes: attributes["first"] + sizes["p"] <= sizes["n"],
    ),
    "place_columns": Op(
        Signature("(m,p)->(m,n)"),
        place_columns,
        lambda n, g: (
            apply("take_columns", g, sizes={"p": n.sizes["p"]}, attributes=n.attributes),
        ),
        attributes={"first": int},
        flops=0,
        holds=lambda sizes, attributes: attributes["first"] + sizes["p"] <= sizes["n"],
    ),
}

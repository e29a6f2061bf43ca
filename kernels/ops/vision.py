"""Images (b, h, w, c): convolution with weights (p, q, c, f), and the largest number of a window.

A window stops at places (i, j), `stride` apart; at place (0, 0) its first row and column lie `top`
and `left` outside the image, where a convolution sees zeros and pooling nothing. How far it reaches
out at the other end follows from the number of places.
"""

from collections.abc import Iterator

import numpy as np

from kernels.graph import Node, reshape
from kernels.ops.products import activate, activation_slope, chain, has_activation, packed
from kernels.ops.table import Array, Attributes, Op, apply
from kernels.signature import Signature, Sizes

WINDOW: dict[str, type] = {"stride": int, "top": int, "left": int}
BAND_FLOATS, BAND_ROWS, TILE_ROWS = 16_384, 128, 4  # of c/convolution.c and c/tile.h


def padded(node: Node, x: Array, filled_with: float) -> Array:
    """x with whatever its windows see beyond its edges."""
    top, left = int(node.attributes["top"]), int(node.attributes["left"])
    rows, columns = window_of(node)
    stride, sizes = int(node.attributes["stride"]), node.sizes
    bottom = max(0, (sizes["i"] - 1) * stride - top + rows - sizes["h"])
    right = max(0, (sizes["j"] - 1) * stride - left + columns - sizes["w"])
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    return np.pad(x, edges, constant_values=filled_with)


def window_of(node: Node) -> tuple[int, int]:
    if "window" in node.attributes:
        return int(node.attributes["window"]), int(node.attributes["window"])
    return node.sizes["p"], node.sizes["q"]


def windows(node: Node, x: Array) -> Iterator[tuple[int, int, Array]]:
    """Each place, and what is seen there of a padded x: (b, p, q, c), a view."""
    rows, columns = window_of(node)
    stride = int(node.attributes["stride"])
    for i in range(node.sizes["i"]):
        for j in range(node.sizes["j"]):
            y, z = i * stride, j * stride
            yield i, j, x[:, y : y + rows, z : z + columns]


def patches(node: Node, x: Array) -> Array:
    """(b * i * j, p * q * c): what is seen from each place, in their order."""
    seen = [window.reshape(len(x), -1) for _, _, window in windows(node, padded(node, x, 0))]
    return np.stack(seen, axis=1).reshape(-1, seen[0].shape[1])


def matrix(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def conv2d(node: Node, step: int, x: Array, weights: Array, bias: Array) -> Array:
    sums = chain(patches(node, x), matrix(weights)) + bias
    return activate(node, step, sums).reshape(node.shape or ())


def conv2d_weights_slope(node: Node, step: int, x: Array, g: Array) -> Array:
    return chain(patches(node, x).T, matrix(g)).reshape(node.shape or ())


def conv2d_input_slope(node: Node, step: int, g: Array, weights: Array) -> Array:
    """Each place hands its window the sums over f, in the order of places."""
    parts = chain(matrix(g), matrix(weights).T).reshape(*g.shape[:3], -1)
    out = padded(node, np.zeros(node.shape or (), g.dtype), 0)
    for i, j, window in windows(node, out):
        window += parts[:, i, j].reshape(window.shape)
    return unpadded(node, out)


def unpadded(node: Node, x: Array) -> Array:
    top, left = int(node.attributes["top"]), int(node.attributes["left"])
    return x[:, top : top + node.sizes["h"], left : left + node.sizes["w"]]


def conv2d_gradient(node: Node, g: Node) -> tuple[Node, ...]:
    x, weights, _ = node.sources
    slope = activation_slope(node, g)
    window = {name: node.attributes[name] for name in WINDOW}
    seen = {name: node.sizes[name] for name in "hw"}
    own = {name: node.sizes[name] for name in "pq"}
    rows = reshape(slope, (slope.elements // node.sizes["f"], node.sizes["f"]))
    return (
        apply("conv2d_input_gradient", slope, weights, sizes=seen, attributes=window),
        apply("conv2d_weights_gradient", x, slope, sizes=own, attributes=window),
        apply("sum_rows", rows),
    )


def peaks(node: Node, x: Array) -> Iterator[tuple[int, int, Array, Array]]:
    """For each place the largest numbers (b, c), and where in the window (b, c) they are."""
    for i, j, window in windows(node, padded(node, x, -np.inf)):
        seen = window.reshape(len(x), -1, x.shape[-1])
        value, at = seen[:, 0], np.zeros((len(x), x.shape[-1]), np.int64)
        for number in range(seen.shape[1]):
            wins = (value < seen[:, number]) | np.isnan(seen[:, number])
            value, at = np.where(wins, seen[:, number], value), np.where(wins, number, at)
        yield i, j, value, at


def maxpool2d(node: Node, step: int, x: Array) -> Array:
    out = np.empty(node.shape or (), x.dtype)
    for i, j, value, _ in peaks(node, x):
        out[:, i, j] = value
    return out


def maxpool2d_slope(node: Node, step: int, x: Array, g: Array) -> Array:
    out = padded(node, np.zeros_like(x), 0)
    handed = {(i, j): at for i, j, _, at in peaks(node, x)}
    for i, j, window in windows(node, out):
        at = handed[i, j]
        for row, column in np.ndindex(*window.shape[1:3]):
            is_here = at == row * window.shape[2] + column
            window[:, row, column] += np.where(is_here, g[:, i, j], x.dtype.type(0))
    return unpadded(node, out)


def maxpool2d_gradient(node: Node, g: Node) -> tuple[Node, ...]:
    return (apply("maxpool2d_gradient", *node.sources, g, attributes=node.attributes),)


def sees_something(sizes: Sizes, attributes: Attributes, window: tuple[int, int]) -> bool:
    """Whether every window has a part inside the image."""
    ends = zip(("top", "left"), window, ("i", "j"), ("h", "w"), strict=True)
    return attributes["stride"] >= 1 and all(
        0 <= attributes[before] < extent
        and (sizes[places] - 1) * attributes["stride"] - attributes[before] < sizes[whole]
        for before, extent, places, whole in ends
    )


def convolves(sizes: Sizes, attributes: Attributes) -> bool:
    return sees_something(sizes, attributes, (sizes["p"], sizes["q"]))


def pools(sizes: Sizes, attributes: Attributes) -> bool:
    window = int(attributes["window"])
    return sees_something(sizes, attributes, (window, window))


def flops(sizes: Sizes) -> int:
    """Each place takes one multiplication and addition for every weight."""
    places = sizes["b"] * sizes["i"] * sizes["j"]
    return 2 * places * sizes["p"] * sizes["q"] * sizes["c"] * sizes["f"]


def band(sizes: Sizes) -> tuple[int, int]:
    """Rows and columns of a band of patches."""
    floats = sizes["p"] * sizes["q"] * sizes["c"]
    rows = BAND_FLOATS // floats // TILE_ROWS * TILE_ROWS
    places = sizes["b"] * sizes["i"] * sizes["j"]
    return min(max(rows, TILE_ROWS), BAND_ROWS, places), floats


def forward_scratch(sizes: Sizes) -> int:
    rows, floats = band(sizes)
    return rows * floats + packed({"k": floats, "n": sizes["f"]})


def weights_scratch(sizes: Sizes) -> int:
    rows, floats = band(sizes)
    return rows * floats + packed({"k": rows, "n": sizes["f"]})


def input_scratch(sizes: Sizes) -> int:
    rows, floats = band(sizes)
    return rows * floats + packed({"k": sizes["f"], "n": floats})


def looks(attributes: Attributes) -> int:
    """How often a window looks at an image."""
    return int(attributes["window"]) ** 2


ROWS: dict[str, Op] = {
    "conv2d": Op(
        Signature("(b,h,w,c),(p,q,c,f),(f)->(b,i,j,f)"),
        conv2d,
        conv2d_gradient,
        attributes=WINDOW | {"activation": int},
        flops=flops,
        scratch=forward_scratch,
        holds=lambda sizes, attributes: (
            convolves(sizes, attributes) and has_activation(sizes, attributes)
        ),
    ),
    "conv2d_weights_gradient": Op(
        Signature("(b,h,w,c),(b,i,j,f)->(p,q,c,f)"),
        conv2d_weights_slope,
        attributes=WINDOW,
        flops=flops,
        scratch=weights_scratch,
        holds=convolves,
    ),
    "conv2d_input_gradient": Op(
        Signature("(b,i,j,f),(p,q,c,f)->(b,h,w,c)"),
        conv2d_input_slope,
        attributes=WINDOW,
        flops=flops,
        scratch=input_scratch,
        holds=convolves,
    ),
    "maxpool2d": Op(
        Signature("(b,h,w,c)->(b,i,j,c)"),
        maxpool2d,
        maxpool2d_gradient,
        attributes={"window": int} | WINDOW,
        flops=lambda n: n["b"] * n["i"] * n["j"] * n["c"],
        repeats=looks,
        holds=pools,
    ),
    "maxpool2d_gradient": Op(
        Signature("(b,h,w,c),(b,i,j,c)->(b,h,w,c)"),
        maxpool2d_slope,
        attributes={"window": int} | WINDOW,
        flops=lambda n: 2 * n["b"] * n["i"] * n["j"] * n["c"],
        repeats=looks,
        holds=pools,
    ),
}

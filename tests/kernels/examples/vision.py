"""Examples of kernels/ops/vision.py."""

from kernels.ops import apply
from kernels.ops.products import ACTIVATIONS


def frame(x, a, b, floor):
    """Sizes of an image, of a window and of its places, and how the window moves: strides 1 to 3,
    edges of up to 2.
    """
    h, w = min(a, 9), min(b, 11)
    p, q = (int(x.rng.integers(floor, 4)) for _ in "pq")
    stride, top, left = (
        int(x.rng.integers(1, 4)),
        int(x.rng.integers(0, p)),
        int(x.rng.integers(0, q)),
    )
    i, j = (
        max(1, (size + 2 * before - window) // stride + 1)
        for size, before, window in ((h, top, p), (w, left, q))
    )
    return (h, w), (p, q), (i, j), {"stride": stride, "top": top, "left": left}


def conv2d(x, a, b, c):
    (h, w), (p, q), (i, j), window = frame(x, a, b, 1)
    channels = a % 6 + 1
    attributes = window | {"activation": (a + b + c) % len(ACTIVATIONS)}
    sources = x.floats(2, h, w, channels), x.floats(p, q, channels, c), x.floats(c)
    return apply("conv2d", *sources, sizes={"i": i, "j": j}, attributes=attributes)


def conv2d_weights_gradient(x, a, b, c):
    (h, w), (p, q), (i, j), window = frame(x, a, b, 1)
    sources = x.floats(2, h, w, a % 6 + 1), x.floats(2, i, j, c)
    return apply("conv2d_weights_gradient", *sources, sizes={"p": p, "q": q}, attributes=window)


def conv2d_input_gradient(x, a, b, c):
    (h, w), (p, q), (i, j), window = frame(x, a, b, 1)
    sources = x.floats(2, i, j, c), x.floats(p, q, a % 6 + 1, c)
    return apply("conv2d_input_gradient", *sources, sizes={"h": h, "w": w}, attributes=window)


def square(x, a, b):
    """The same for a window as high as it is wide."""
    (h, w), (p, _), _, window = frame(x, a, b, 1)
    window |= {"window": p, "left": min(window["left"], p - 1)}
    sizes = {
        name: max(1, (size + 2 * window[before] - p) // window["stride"] + 1)
        for name, size, before in (("i", h, "top"), ("j", w, "left"))
    }
    return (h, w), sizes, window


def tied(x, *shape):
    """Numbers of which many are equal."""
    return x.holding((x.rng.integers(-3, 3, shape) / 2).astype("f4"))


def maxpool2d(x, a, b, c):
    (h, w), sizes, window = square(x, a, b)
    return apply("maxpool2d", x.floats(2, h, w, c), sizes=sizes, attributes=window)


def maxpool2d_gradient(x, a, b, c):
    (h, w), sizes, window = square(x, a, b)
    sources = tied(x, 2, h, w, c), x.floats(2, sizes["i"], sizes["j"], c)
    return apply("maxpool2d_gradient", *sources, attributes=window)


EXAMPLES = {
    "conv2d": conv2d,
    "conv2d_weights_gradient": conv2d_weights_gradient,
    "conv2d_input_gradient": conv2d_input_gradient,
    "maxpool2d": maxpool2d,
    "maxpool2d_gradient": maxpool2d_gradient,
}
TOLERANCES = {"conv2d": 3e-6}

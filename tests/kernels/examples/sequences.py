"""Examples of kernels/ops/sequences.py."""

from kernels.ops import apply


def embedding_gradient(x, a, b, c):
    return apply("embedding_gradient", x.whole(c, a, b), x.floats(a, b, c), sizes={"v": c})


EXAMPLES = {
    "embedding": lambda x, a, b, c: apply("embedding", x.whole(c, a, b), x.floats(c, b)),
    "embedding_gradient": embedding_gradient,
    "positions": lambda x, a, b, c: apply("positions", x.floats(a, b, c)),
    "mean_steps": lambda x, a, b, c: apply("mean_steps", x.floats(a, b, c)),
    "spread_steps": lambda x, a, b, c: apply("spread_steps", x.floats(a, c), sizes={"t": b}),
}
TOLERANCES = {"positions": 1e-6}

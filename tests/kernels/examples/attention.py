"""Examples of kernels/ops/attention.py: a rows, b steps, so many heads that half of the sizes have
several, one of them causal.
"""

from kernels.ops import apply


def heads(a, c):
    count = 1 + (a + 1) % 3
    return {"h": count}, count * c, {"causal": a % 2}


def of_queries(name):
    def make(x, a, b, c):
        sizes, width, attributes = heads(a, c)
        source = x.floats(a, b, 3 * width)
        return apply(name, source, sizes=sizes, attributes=attributes)

    return make


def attention_gradient(x, a, b, c):
    sizes, width, attributes = heads(a, c)
    # logarithms as large as scores make them: weights must not overflow
    logs = x.positive(a, sizes["h"], b)
    sources = x.floats(a, b, 3 * width), x.floats(a, b, width), logs, x.floats(a, b, width)
    return apply("attention_gradient", *sources, attributes=attributes)


EXAMPLES = {
    "attention": of_queries("attention"),
    "attention_weights": of_queries("attention_weights"),
    "attention_gradient": attention_gradient,
}
TOLERANCES = {"attention": 5e-6, "attention_weights": 5e-6, "attention_gradient": 2e-5}

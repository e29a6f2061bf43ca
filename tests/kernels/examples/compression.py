"""Examples of kernels/ops/compression.py."""

import numpy as np

from kernels.ops import apply


def dense_int8(x, a, b, c):
    return apply("dense_int8", x.floats(a, b), x.bytes(b, c), x.positive(c), x.floats(c))


def embedding_int8(x, a, b, c):
    return apply("embedding_int8", x.whole(c, a, b), x.bytes(c, b), x.positive(c))


def mask(x, a, b, c):
    kept = x.rng.integers(0, 2, a * b).astype(np.float32)
    return apply("mask", x.floats(a * b), x.holding(kept))


EXAMPLES = {"dense_int8": dense_int8, "embedding_int8": embedding_int8, "mask": mask}
TOLERANCES = {}

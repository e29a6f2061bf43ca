"""Examples of kernels/ops/products.py."""

from kernels.ops import apply

EXAMPLES = {
    "matmul_nn": lambda x, a, b, c: apply("matmul_nn", x.floats(a, b), x.floats(b, c)),
    "matmul_nt": lambda x, a, b, c: apply("matmul_nt", x.floats(a, b), x.floats(c, b)),
    "matmul_tn": lambda x, a, b, c: apply("matmul_tn", x.floats(b, a), x.floats(b, c)),
}
TOLERANCES = {}

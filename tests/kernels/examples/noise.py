"""Examples of kernels/ops/noise.py."""

from kernels.ops import apply
from tests.kernels.examples.chance import DRAWS

EXAMPLES = {
    "normal": lambda x, a, b, c: apply(
        "normal", sizes={"count": a * b}, attributes={"deviation": 0.7} | DRAWS
    )
}
TOLERANCES = {"normal": 1e-6}

"""Examples of kernels/ops/augmentation.py."""

from kernels.ops import apply
from tests.kernels.examples.chance import DRAWS


def augment(x, a, b, c):
    """Moved or not, mirrored or not, in other colours or not."""
    h, w = min(a, 9), min(b, 11)
    attributes = {"shift": min(h, w) // 2, "flip": b % 2, "contrast": c % 3 / 4}
    attributes |= {"brightness": a % 2 / 4} | DRAWS
    return apply("augment", x.floats(3, h, w, c % 5 + 1), attributes=attributes)


EXAMPLES = {"augment": augment}
TOLERANCES = {"augment": 3e-6}

"""Examples of kernels/ops/schedules.py."""

from kernels.ops import apply


def schedule(x, a, b, c):
    """Of the sizes some stand after the steps that are tried, some before."""
    attributes = {"base": 0.1, "decay": 0.5}
    attributes |= {"warmup_steps": a, "every_steps": b, "cosine_steps": c}
    return apply("schedule", x.floats(1), x.positive(1), attributes=attributes)


EXAMPLES = {"schedule": schedule}
TOLERANCES = {"schedule": 1e-7}

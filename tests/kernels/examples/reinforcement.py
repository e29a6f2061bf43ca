"""Examples of kernels/ops/reinforcement.py."""

import numpy as np

from kernels.ops import apply


def acting(name, attributes):
    return lambda x, a, b, c: apply(
        name, x.floats(a, b), x.whole(b, a, 1), x.floats(a, 1), attributes=attributes
    )


def expected_return(x, a, b, c):
    goes_on = x.rng.integers(0, 2, (a, 1)).astype(np.float32)
    sources = x.floats(a, 1), x.holding(goes_on), x.floats(a, b)
    return apply("expected_return", *sources, attributes={"discount": 0.9})


EXAMPLES = {
    "policy_gradient": acting("policy_gradient", {"bonus": 0.1}),
    "policy_gradient_gradient": acting("policy_gradient_gradient", {"bonus": 0.1}),
    "action_value": acting("action_value", {"delta": 0.7}),
    "action_value_gradient": acting("action_value_gradient", {"delta": 0.7}),
    "expected_return": expected_return,
}
TOLERANCES = {"policy_gradient": 2e-6, "policy_gradient_gradient": 2e-6, "action_value": 1e-6}

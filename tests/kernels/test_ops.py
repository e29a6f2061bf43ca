"""Each row of the table: the C kernel against its plain version, and its gradient against
differences.
"""

import numpy as np
import pytest

from kernels import reference
from kernels.compiler import gradients
from kernels.graph import leaf
from kernels.ops import TABLE, apply
from kernels.philox import stream

RAGGED = [1, 3, 4, 5, 7, 8, 17, 33]
DRAWS = stream(0x1234_5678_9ABC_DEF0, 77)
# kernels whose arithmetic is exact step by step must agree to the bit; the others use polynomials
# where NumPy uses its library, or sum in lanes where NumPy sums in pairs
TOLERANCES = {
    "elu": 3e-6,
    "silu": 2e-6,
    "gelu": 2e-6,
    "sigmoid": 1e-6,
    "tanh": 1e-6,
    "exp": 1e-6,
    "log": 1e-6,
    "silu_gradient": 1e-5,
    "gelu_gradient": 1e-5,
    "softmax": 2e-6,
    "cross_entropy": 5e-6,
    "cross_entropy_gradient": 2e-6,
    "lateral": 2e-6,
}
UNARY = ["relu", "leaky_relu", "elu", "silu", "gelu", "sigmoid", "tanh", "exp"]
BINARY = ["sum", "product", "quotient"] + [name for name in TABLE if name.endswith("_gradient")]
BINARY.remove("cross_entropy_gradient")


class Leaves:
    """Makes leaves, and remembers what is in them."""

    def __init__(self, rng):
        self.rng, self.memory = rng, {}

    def floats(self, *shape):
        return self._leaf(self.rng.standard_normal(shape).astype(np.float32), "f4")

    def positive(self, *shape):
        return self._leaf(np.exp(self.rng.standard_normal(shape)).astype(np.float32), "f4")

    def whole(self, high, *shape):
        return self._leaf(self.rng.integers(0, high, shape).astype(np.uint32), "u4")

    def _leaf(self, values, dtype):
        node = leaf(f"x{len(self.memory)}", values.shape, dtype)
        self.memory[node] = values
        return node


# op → its sources, from ragged sizes a, b, c
SOURCES = (
    {name: lambda x, a, b, c: [x.floats(a, b)] for name in UNARY}
    | {name: lambda x, a, b, c: [x.floats(a, b), x.floats(a, b)] for name in BINARY}
    | {
        "log": lambda x, a, b, c: [x.positive(a, b)],
        "matmul_nn": lambda x, a, b, c: [x.floats(a, b), x.floats(b, c)],
        "matmul_nt": lambda x, a, b, c: [x.floats(a, b), x.floats(c, b)],
        "matmul_tn": lambda x, a, b, c: [x.floats(b, a), x.floats(b, c)],
        "bias": lambda x, a, b, c: [x.floats(a, b), x.floats(b)],
        "sum_rows": lambda x, a, b, c: [x.floats(a, b)],
        "softmax": lambda x, a, b, c: [x.floats(a, b)],
        "standardise": lambda x, a, b, c: [x.floats(a, b), x.floats(b), x.positive(b)],
        "cross_entropy": lambda x, a, b, c: [x.floats(a, b), x.whole(b, a, 1)],
        "cross_entropy_gradient": lambda x, a, b, c: [x.floats(a, b), x.whole(b, a, 1)],
        "record": lambda x, a, b, c: [x.floats(2), x.floats(a), x.floats(a)],
        "uniform": lambda x, a, b, c: [],
        "dropout": lambda x, a, b, c: [x.floats(a, b)],
        "shuffle": lambda x, a, b, c: [x.whole(1, a), x.whole(1, 1)],
        "gather": lambda x, a, b, c: [x.floats(a * c, b), x.whole(a * c, a * c)],
        "take_rows": lambda x, a, b, c: [x.floats(8 * a + 1, b)],
        "put_rows": lambda x, a, b, c: [x.floats(a, b), x.floats(8 * a + 1, b)],
        "measure_columns": lambda x, a, b, c: [x.floats(a, b), x.floats(b), x.floats(b)],
        "adam": lambda x, a, b, c: [x.floats(a * b) for _ in range(3)] + [x.positive(a * b)],
        "sgd": lambda x, a, b, c: [x.floats(a * b) for _ in range(3)],
        "lateral": lambda x, a, b, c: [x.floats(a * b)],
    }
)
ATTRIBUTES = {
    "uniform": {"bound": 0.3} | DRAWS,
    "dropout": {"drop_below": 2**22, "scale": 4 / 3} | DRAWS,
    "shuffle": {"steps_per_epoch": 3} | DRAWS,
    "take_rows": {"first": 1},
    "put_rows": {"first": 1},
    "adam": {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "sgd": {"learning_rate": 0.01, "momentum": 0.9},
    "lateral": {"factor": 0.3, "steps_total": 100} | DRAWS,
}
# sizes that no source shows
SIZES = {
    "uniform": lambda a, b: {"count": a * b},
    "gather": lambda a, b: {"b": a},
    "take_rows": lambda a, b: {"b": a},
}


def example(name, rng, a, b, c):
    """A node of the op on ragged sizes, and memory for its leaves."""
    leaves = Leaves(rng)
    sources = SOURCES[name](leaves, a, b, c)
    sizes = SIZES[name](a, b) if name in SIZES else None
    attributes = ATTRIBUTES.get(name, {"steps_per_epoch": c} if name == "gather" else None)
    return apply(name, *sources, sizes=sizes, attributes=attributes), leaves.memory


def test_every_row_of_the_table_has_an_example():
    assert set(SOURCES) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_kernel_does_what_its_plain_version_says(name, module, compute):
    rng = np.random.default_rng(len(name))
    for a in RAGGED:
        b, c = rng.choice(RAGGED, 2).tolist()
        step = int(rng.integers(0, 7))
        node, memory = example(name, rng, a, b, c)
        expected = {place: values.copy() for place, values in memory.items()}
        reference.run([node], expected, step)
        found = compute(module, node, memory, step)
        pairs = [(memory[place], expected[place], place.name) for place in memory]
        pairs += [] if found is None else [(found, expected[node].reshape(found.shape), "out")]
        for got, wanted, where in pairs:
            note = f"{name} {(a, b, c)} step {step}: {where}"
            if name in TOLERANCES:
                limit = TOLERANCES[name] * max(1.0, float(np.abs(wanted).max()))
                np.testing.assert_allclose(got, wanted, rtol=0, atol=limit, err_msg=note)
            else:
                np.testing.assert_array_equal(got, wanted, err_msg=note)


@pytest.mark.parametrize("name", ["matmul_nn", "matmul_nt", "matmul_tn"])
def test_matrix_product_is_the_plain_chain_of_sums_to_the_bit(name, module, compute):
    """Every remainder of the 4 by 8 tile, and sums long enough that another order would show."""
    rng = np.random.default_rng(1)
    for a in range(1, 10):
        for c in [*range(1, 18), 33]:
            node, memory = example(name, rng, a, 61, c)
            expected = dict(memory)
            reference.run([node], expected)
            np.testing.assert_array_equal(compute(module, node, memory), expected[node])


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.gradient])
def test_gradient_is_the_slope_of_the_plain_version(name):
    """In double precision, where central differences of 1e-5 are good to about 1e-9."""
    rng = np.random.default_rng(2)
    node, memory = example(name, rng, 3, 5, 4)
    memory = {
        place: v.astype(np.float64) if v.dtype == np.float32 else v for place, v in memory.items()
    }
    weights = rng.standard_normal(node.shape)
    if name == "cross_entropy":
        weights = np.array([1.0, 0.0])  # its gradient is that of the loss, not of the count

    def total():
        values = dict(memory)
        reference.run([node], values, 3)
        return float((values[node] * weights).sum())

    upstream = leaf("upstream", node.shape)
    rule = TABLE[name].gradient(node, upstream)
    for place, slope in zip(node.sources, rule, strict=True):
        if slope is None:
            continue
        values = dict(memory) | {upstream: weights}
        reference.run([slope], values, 3)
        for index in np.ndindex(memory[place].shape):
            kept = memory[place][index]
            memory[place][index] = kept + 1e-5
            above = total()
            memory[place][index] = kept - 1e-5
            below = total()
            memory[place][index] = kept
            assert (above - below) / 2e-5 == pytest.approx(values[slope][index], abs=1e-7)


def test_gradients_of_a_value_used_twice_are_added():
    x, y = leaf("x", (2, 2)), leaf("y", (2, 2))
    labels = leaf("labels", (2, 1), "u4")
    loss = apply("cross_entropy", apply("sum", apply("product", x, y), x), labels)
    found = gradients(loss, [x])
    memory = {
        x: np.array([[1.0, 2.0], [3.0, 4.0]]),
        y: np.array([[0.5, -1.0], [2.0, 0.1]]),
        labels: np.array([[0], [1]]),
    }
    values = dict(memory)
    reference.run([loss, found[x]], values)
    for index in np.ndindex(2, 2):
        moved = dict(memory) | {x: memory[x].copy()}
        moved[x][index] += 1e-6
        reference.run([loss], moved)
        slope = (moved[loss][0] - values[loss][0]) / 1e-6
        assert slope == pytest.approx(values[found[x]][index], abs=1e-5)


def test_a_value_that_is_no_number_is_handed_on_by_every_activation(module, compute):
    for name in UNARY:
        x = leaf("x", (5,))
        values = np.array([1, np.nan, 2, 3, np.nan], np.float32)
        found = compute(module, apply(name, x), {x: values})
        assert np.isnan(found).tolist() == [False, True, False, False, True], name

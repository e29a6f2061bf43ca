"""Each row of the table: the C kernel against its plain version, and its gradient against
differences.
"""

import numpy as np
import pytest

from kernels import reference
from kernels.autodiff import gradients
from kernels.graph import leaf
from kernels.ops import TABLE, apply, part
from tests.kernels.examples import EXAMPLES, TOLERANCES, example
from tests.kernels.examples.elementwise import UNARY

RAGGED = [1, 3, 4, 5, 7, 8, 17, 33]


def test_every_row_of_the_table_has_an_example():
    assert set(EXAMPLES) == set(TABLE)
    assert set(TOLERANCES) <= set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_kernel_does_what_its_plain_version_says(name, module, compute):
    rng = np.random.default_rng(len(name))
    for a in RAGGED:
        b, c = rng.choice(RAGGED, 2).tolist()
        step = int(rng.integers(0, 7))
        node, memory = example(name, rng, a, b, c)
        expected = {place: values.copy() for place, values in memory.items()}
        outputs = every_output(node)
        reference.run(outputs, expected, step)
        found = [compute(module, output, memory, step) for output in outputs]
        pairs = [(memory[place], expected[place], place.name) for place in memory]
        for number, (output, got) in enumerate(zip(outputs, found, strict=True)):
            if got is not None:
                pairs.append((got, expected[output].reshape(got.shape), f"output {number}"))
        for got, wanted, where in pairs:
            note = f"{name} {(a, b, c)} step {step}: {where}"
            if name in TOLERANCES:
                limit = TOLERANCES[name] * max(1.0, float(np.abs(wanted).max()))
                np.testing.assert_allclose(got, wanted, rtol=0, atol=limit, err_msg=note)
            else:
                np.testing.assert_array_equal(got, wanted, err_msg=note)


def every_output(node):
    """The node, and its further values where it has several."""
    several = len(TABLE[node.op].signature.outputs)
    return [node, *(part(node, number) for number in range(1, several))]


@pytest.mark.parametrize("name", TABLE)
def test_vectors_and_plain_floats_agree_to_the_bit(name, simd, scalar, compute):
    for sizes in [(2, 3, 4), (5, 7, 33), (17, 8, 5)]:
        node, memory = example(name, np.random.default_rng(3), *sizes)
        again = {place: values.copy() for place, values in memory.items()}
        for output in every_output(node):
            first, second = compute(simd, output, memory, 2), compute(scalar, output, again, 2)
            if first is not None:
                np.testing.assert_array_equal(first, second)
        for place in memory:
            np.testing.assert_array_equal(memory[place], again[place])


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.gradient])
def test_gradient_is_the_slope_of_the_plain_version(name):
    """In double precision, where central differences of 1e-5 are good to about 1e-9."""
    rng = np.random.default_rng(2)
    node, memory = example(name, rng, 3, 5, 4)
    memory = {
        place: v.astype(np.float64) if v.dtype == np.float32 else v for place, v in memory.items()
    }
    weights = rng.standard_normal(node.shape)
    if TABLE[name].signature.outputs[0].sizes == ((2, ""),):
        weights = np.array([1.0, 0.0])  # of a loss and its measurement, the loss has a gradient

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

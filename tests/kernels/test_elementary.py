"""exp, log and their kin: how far they are from the truth, in units of the last place."""

import math

import numpy as np
import pytest

from kernels.graph import leaf
from kernels.ops import apply
from kernels.ops.sequences import sinusoids

SAMPLES = 1_000_000


def ulps(found, exact):
    """Distance from the exact value, given in double precision, in units of its last place."""
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - exact) / spacing


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("name", "exact", "low", "high", "bound"),
    [
        ("exp", np.exp, -87.3, 88.7, 2),
        ("exp", np.exp, -1, 1, 2),
        ("log", np.log, 1e-30, 1e-3, 2),
        ("log", np.log, 0.5, 2, 2),
        ("log", np.log, 1, 1e30, 2),
        ("tanh", np.tanh, -10, 10, 3),
        ("tanh", np.tanh, -0.7, 0.7, 3),
        ("sigmoid", sigmoid, -87, 87, 4),
    ],
)
def test_error_stays_within_the_stated_bound(name, exact, low, high, bound, simd, compute):
    is_geometric = low > 0 and high / low > 100
    spread = np.geomspace if is_geometric else np.linspace
    values = spread(low, high, SAMPLES).astype(np.float32)
    x = leaf("x", values.shape)
    found = compute(simd, apply(name, x), {x: values.copy()})
    assert ulps(found, exact(values.astype(np.float64))).max() <= bound


def test_the_error_function_is_within_its_bound_and_one_at_the_ends(simd, compute):
    values = np.linspace(-6, 6, 100_001).astype(np.float32)
    x = leaf("x", values.shape)
    found = compute(simd, apply("erf", x), {x: values.copy()})
    exact = np.array([math.erf(value) for value in values.tolist()])
    assert np.abs(found - exact).max() <= 5e-7
    ends = np.array([0.0, -np.inf, np.inf, np.nan, 1e30], np.float32)
    x = leaf("x", ends.shape)
    found = compute(simd, apply("erf", x), {x: ends})
    np.testing.assert_array_equal(found[1:], np.array([-1, 1, np.nan, 1], np.float32))
    assert abs(found[0]) <= 1e-7


def test_waves_of_positions_are_sines_and_cosines(simd, compute):
    """At 8,192 steps; a wave other than the first has an angle that is rounded itself."""
    x = leaf("x", (1, 8_192, 6))
    found = compute(simd, apply("positions", x), {x: np.zeros((1, 8_192, 6), np.float32)})[0]
    exact = sinusoids(8_192, 6)
    np.testing.assert_allclose(found[:, :2], exact[:, :2], rtol=0, atol=1.2e-7)
    assert (np.abs(found - exact).max(axis=1) <= 1.2e-7 + 1e-7 * np.arange(8_192)).all()


def test_the_ends_of_the_range_are_those_of_ieee(module, compute):
    x = leaf("x", (6,))
    values = np.array([-np.inf, -200, 0, 89, np.inf, -104.5], np.float32)
    found = compute(module, apply("exp", x), {x: values})
    np.testing.assert_array_equal(found, np.array([0, 0, 1, np.inf, np.inf, 0], np.float32))
    values = np.array([0, 1, np.inf, -1, -np.inf, 1e-40], np.float32)
    found = compute(module, apply("log", x), {x: values})
    np.testing.assert_allclose(found, [-np.inf, 0, np.inf, np.nan, np.nan, -92.10340], rtol=1e-6)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "gelu", "silu", "elu"])
def test_vectors_and_plain_floats_agree_to_the_bit(name, simd, scalar, compute):
    values = np.linspace(1e-3 if name == "log" else -100, 100, 100_003).astype(np.float32)
    x = leaf("x", values.shape)
    node = apply(name, x)
    first = compute(simd, node, {x: values.copy()})
    second = compute(scalar, node, {x: values.copy()})
    np.testing.assert_array_equal(first.view(np.uint32), second.view(np.uint32))


def test_softmax_loses_nothing_of_large_numbers(module, compute):
    """The peak is taken off before anything is rounded; what lies far below it is nothing."""
    values = (10_000 + 5 * np.random.default_rng(1).standard_normal((7, 33))).astype(np.float32)
    values[0, :3] = 11_000, 10_900, -np.inf
    x, labels = leaf("x", (7, 33)), leaf("labels", (7, 1), "u4")
    exact = values.astype(np.float64)
    exact = np.exp(exact - exact.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    found = compute(module, apply("softmax", x), {x: values})
    np.testing.assert_allclose(found, exact, rtol=0, atol=5e-7)
    assert found[0, 0] == 1
    assert (found[0, 1:] == 0).all()
    best = exact.argmax(axis=1)[:, None].astype(np.uint32)
    loss = compute(module, apply("cross_entropy", x, labels), {x: values, labels: best})
    wanted = -np.log(np.take_along_axis(exact, best, axis=1)).mean()
    assert loss == pytest.approx([wanted, 7], abs=1e-6)

"""Smaller networks: products of bytes, and what they cost in accuracy."""

import numpy as np

from kernels.graph import leaf
from kernels.ops import apply


def byte_product(rng, rows, k, n):
    x, w = leaf("x", (rows, k)), leaf("w", (k, n), "i1")
    scales, bias = leaf("scales", (n,)), leaf("bias", (n,))
    memory = {
        x: rng.standard_normal((rows, k)).astype(np.float32),
        w: rng.integers(-127, 128, (k, n)).astype(np.int8),
        scales: np.exp(rng.standard_normal(n)).astype(np.float32),
        bias: rng.standard_normal(n).astype(np.float32),
    }
    return apply("dense_int8", x, w, scales, bias), memory


def test_a_row_gives_the_same_bits_alone_and_among_others(module, compute):
    rng = np.random.default_rng(1)
    for rows, k, n in ((7, 33, 41), (5, 64, 100)):
        node, memory = byte_product(rng, rows, k, n)
        together = compute(module, node, memory)
        x, *others = memory
        for row in range(rows):
            alone, single = byte_product(rng, 1, k, n)
            values = [memory[x][row : row + 1], *(memory[place] for place in others)]
            found = compute(module, alone, dict(zip(single, values, strict=True)))
            np.testing.assert_array_equal(found[0], together[row])


def test_products_of_bytes_are_near_those_of_the_numbers_they_stand_for(module, compute):
    rng = np.random.default_rng(2)
    node, memory = byte_product(rng, 8, 256, 16)
    x, w, scales, bias = memory.values()
    exact = x.astype(np.float64) @ (w * scales.astype(np.float64)) + bias
    # a row's numbers are rounded by at most half of largest / 127; the errors of 256 of them add
    # up like those of a random walk
    step = np.abs(x).max(axis=1, keepdims=True) / 127
    bound = 6 * step / np.sqrt(12) * np.sqrt((w.astype(float) ** 2).sum(axis=0)) * scales
    assert (np.abs(compute(module, node, memory) - exact) < bound).all()


def test_a_number_that_is_not_finite_shows_in_its_own_row_only(module, compute):
    rng = np.random.default_rng(3)
    for bad in (np.nan, np.inf, -np.inf):
        for at in (0, 6, 8):
            node, memory = byte_product(rng, 3, 9, 5)
            next(iter(memory.values()))[1, at] = bad
            found = compute(module, node, memory)
            assert np.isnan(found[1]).all()
            assert np.isfinite(found[[0, 2]]).all()


def test_a_row_of_zeros_gives_the_bias(module, compute):
    node, memory = byte_product(np.random.default_rng(4), 2, 9, 5)
    x, _, _, bias = memory.values()
    x[...] = 0
    np.testing.assert_array_equal(compute(module, node, memory), np.stack([bias, bias]))

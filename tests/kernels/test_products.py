"""Matrix products: cut into blocks, and with what follows them."""

import numpy as np
import pytest

from kernels import reference
from kernels.ops import TABLE, apply
from kernels.ops.products import ACTIVATIONS
from tests.kernels.examples import Leaves, example
from tests.kernels.examples.products import dense


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


@pytest.mark.parametrize("name", ["matmul_nn", "matmul_nt", "matmul_tn"])
@pytest.mark.parametrize("sizes", [(5, 515, 17), (66, 257, 23), (9, 3, 521), (70, 300, 530)])
def test_matrix_product_cut_into_blocks_is_still_one_chain(name, sizes, module, compute):
    """More than one block of k, of columns, and operands that are read with and without a copy."""
    node, memory = example(name, np.random.default_rng(1), *sizes)
    expected = dict(memory)
    reference.run([node], expected)
    np.testing.assert_array_equal(compute(module, node, memory), expected[node])


def unfused(node):
    """The same as a dense node, in three."""
    x, w, bias = node.sources
    sums = apply("bias", apply("matmul_nn", x, w), bias)
    name = ACTIVATIONS[node.attributes["activation"]]
    return sums if name == "linear" else apply(name, sums)


@pytest.mark.parametrize("activation", range(len(ACTIVATIONS)), ids=ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(5, 17, 7), (70, 259, 13), (1, 3, 515)])
def test_dense_is_product_bias_and_activation_to_the_bit(activation, sizes, module, compute):
    leaves = Leaves(np.random.default_rng(1))
    node = dense(leaves, *sizes, activation=activation)
    found = compute(module, node, leaves.memory)
    np.testing.assert_array_equal(found, compute(module, unfused(node), leaves.memory))


@pytest.mark.parametrize("activation", range(len(ACTIVATIONS)), ids=ACTIVATIONS)
def test_dense_has_the_gradient_of_its_parts(activation):
    leaves = Leaves(np.random.default_rng(1))
    node = dense(leaves, 5, 3, 4, activation=activation)
    upstream = leaves.floats(5, 4)
    rule = TABLE["dense"].gradient(node, upstream)
    apart = unfused(node)
    slope = upstream if activation == 0 else TABLE[apart.op].gradient(apart, upstream)[0]
    sums = apart if activation == 0 else apart.sources[0]
    over_sums, over_bias = TABLE["bias"].gradient(sums, slope)
    expected = (*TABLE["matmul_nn"].gradient(sums.sources[0], over_sums), over_bias)
    values = dict(leaves.memory)
    reference.run([*rule, *expected], values)
    for found, wanted in zip(rule, expected, strict=True):
        np.testing.assert_array_equal(values[found], values[wanted])

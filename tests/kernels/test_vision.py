"""Images: convolutions in several bands of patches, edges, and what pooling hands on."""

import numpy as np
import pytest

from kernels import reference
from kernels.graph import leaf
from kernels.ops import apply
from kernels.signature import ShapeError
from tests.kernels.examples import Leaves

LINEAR = {"activation": 0}


def window(stride=1, top=0, left=0):
    return {"stride": stride, "top": top, "left": left}


def conv2d(leaves, places, filters, attributes, channels=6):
    """A convolution of three images of 12 by 9 with a window of 3 by 2."""
    weights = leaves.floats(3, 2, channels, filters)
    sources = leaves.floats(3, 12, 9, channels), weights, leaves.floats(filters)
    sizes = dict(zip("ij", places, strict=True))
    return apply("conv2d", *sources, sizes=sizes, attributes=attributes | LINEAR)


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("filters", [1, 8, 21])
@pytest.mark.parametrize(
    ("places", "attributes"),
    [((10, 8), window()), ((12, 9), window(1, 1, 1)), ((6, 5), window(2, 1, 0))],
)
def test_a_convolution_is_one_chain_for_each_place_to_the_bit(
    filters, channels, places, attributes, module, compute
):
    """So many places that they take several bands, the last of them ragged."""
    leaves = Leaves(np.random.default_rng(1))
    node = conv2d(leaves, places, filters, attributes, channels)
    slope = leaves.floats(*node.shape)
    x, weights, _ = node.sources
    nodes = [
        node,
        apply("conv2d_weights_gradient", x, slope, sizes={"p": 3, "q": 2}, attributes=attributes),
        apply(
            "conv2d_input_gradient", slope, weights, sizes={"h": 12, "w": 9}, attributes=attributes
        ),
    ]
    expected = dict(leaves.memory)
    reference.run(nodes, expected)
    for each in nodes:
        found = compute(module, each, {place: leaves.memory[place] for place in each.sources})
        np.testing.assert_array_equal(found, expected[each], err_msg=each.op)


def test_a_convolution_of_one_pixel_is_a_dense_layer(module, compute):
    leaves = Leaves(np.random.default_rng(1))
    x, weights, bias = leaves.floats(2, 3, 4, 5), leaves.floats(1, 1, 5, 7), leaves.floats(7)
    sizes = {"i": 3, "j": 4}
    node = apply("conv2d", x, weights, bias, sizes=sizes, attributes=window() | {"activation": 5})
    rows, matrix = leaf("rows", (24, 5)), leaf("matrix", (5, 7))
    same = apply("dense", rows, matrix, bias, attributes={"activation": 5})
    memory = {
        rows: leaves.memory[x].reshape(24, 5),
        matrix: leaves.memory[weights].reshape(5, 7),
        bias: leaves.memory[bias],
    }
    found = compute(module, node, leaves.memory)
    np.testing.assert_array_equal(found.reshape(24, 7), compute(module, same, memory))


@pytest.mark.parametrize("channels", [1, 4, 7])
def test_pooling_hides_no_value_that_is_no_number(channels, module, compute):
    values = np.zeros((1, 4, 4, channels), np.float32)
    values[0, 1, 1] = values[0, 2, 3] = np.nan
    values[0, 1, 0] = 5
    x = leaf("x", values.shape)
    sizes, attributes = {"i": 2, "j": 2}, {"window": 2} | window(2)
    found = compute(module, apply("maxpool2d", x, sizes=sizes, attributes=attributes), {x: values})
    assert np.isnan(found[0, :, :, 0]).tolist() == [[True, False], [False, True]]


def test_pooling_takes_the_larger_of_two_infinities(module, compute):
    values = np.zeros((1, 2, 2, 4), np.float32)
    values[0, 0, 1], values[0, 1, 0] = -np.inf, np.inf
    x = leaf("x", values.shape)
    sizes, attributes = {"i": 1, "j": 1}, {"window": 2} | window(2)
    found = compute(module, apply("maxpool2d", x, sizes=sizes, attributes=attributes), {x: values})
    assert found.ravel().tolist() == [np.inf] * 4


def test_of_equal_numbers_the_first_gets_the_gradient(module, compute):
    x, g = leaf("x", (1, 2, 4, 5)), leaf("g", (1, 1, 2, 5))
    memory = {x: np.ones((1, 2, 4, 5), np.float32), g: np.ones((1, 1, 2, 5), np.float32)}
    node = apply("maxpool2d_gradient", x, g, attributes={"window": 2} | window(2))
    found = compute(module, node, memory)
    assert found[0, :, :, 4].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("places", "attributes"),
    [((14, 8), window()), ((2, 2), window(0)), ((12, 9), window(1, 3, 0)), ((7, 5), window(2, 0))],
)
def test_a_window_that_sees_nothing_is_refused(places, attributes):
    with pytest.raises(ShapeError, match="do not fit"):
        conv2d(Leaves(np.random.default_rng(1)), places, 4, attributes)

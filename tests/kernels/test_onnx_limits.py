"""ONNX taken in: a small file cannot take all the memory, and a large good one is read."""

import tracemalloc

import numpy as np
import pytest

from kernels.exchange import onnx_reader
from kernels.exchange.onnx_values import WEIGHTS_LIMIT, OnnxRefused, Parameters
from tests.kernels.test_onnx_import import model, one


def test_a_small_file_cannot_take_all_the_memory():
    """Sixty constants of 16 million numbers, all of them added up at the end."""
    names = [f"c{number}" for number in range(60)]
    made = " ".join(f"{name} = ConstantOfShape(size)" for name in names)
    sums = " ".join(f"y{at} = Add({f'y{at - 1}' if at else 'x'}, c{at})" for at in range(60))
    text = f"{made} {sums} y = Relu(y59)"
    with pytest.raises(OnnxRefused, match="more memory or work than is given to an import"):
        onnx_reader.read(one(text, size=np.array([2**24])).SerializeToString())


LARGE = "large = ConstantOfShape(size)"


@pytest.mark.parametrize(
    "text",
    [
        f"{LARGE} c = Gather<axis = 0>(large, at) y = Add(x, c)",
        "u = Unsqueeze(x, two) g = Gather<axis = 1>(u, at) y = Gather<axis = 2>(g, at)",
        f"{LARGE} c = Concat<axis = 0>({', '.join(['large'] * 5_000)}) y = Add(x, c)",
        f"g = Gather<axis = 1>(x, at) y = Concat<axis = 1>({', '.join(['g'] * 5_000)})",
    ],
    ids=["picked constants", "picked values", "joined constants", "joined values"],
)
def test_what_would_be_too_large_is_refused_before_it_is_made(text):
    """Each of them would take from 600 MB to 300 GB."""
    at, size = np.zeros(2**14, np.int64), np.array([2**10, 2**14])
    blob = one(text, at=at, size=size, two=np.array([2])).SerializeToString()
    tracemalloc.start()
    with pytest.raises(OnnxRefused, match="has more than 16,777,216 elements"):
        onnx_reader.read(blob)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**28


def test_one_number_is_not_held_against_every_pair_of_very_many_steps():
    text = (
        "a (float[N, 65536, 1] x) => (float[N, 65536, 1] y) {"
        " k = Transpose<perm = [0, 2, 1]>(x) s = MatMul(x, k) y = Add(s, zero) }"
    )
    with pytest.raises(OnnxRefused, match=r"\(65536, 65536\) has more than"):
        onnx_reader.read(model(text, zero=np.zeros(1, "f4")).SerializeToString())


def test_weights_that_are_used_again_and_again_are_counted():
    """A small file may use the same numbers any number of times, and each is a weight of ours."""
    made = Parameters(elements=WEIGHTS_LIMIT - 10)
    made.add(np.zeros(10), "weight")
    with pytest.raises(OnnxRefused, match="makes more than 268,435,456 weights"):
        made.add(np.zeros(1), "weight")


def test_a_deep_network_of_large_pictures_is_within_the_limits():
    """What nothing reads any more is let go: 60 layers of a million numbers."""
    layers = " ".join(f"x{at + 1} = Relu(x{at})" for at in range(60))
    text = f"p (float[N, 1000, 1000] x0) => (float[N, 1000, 1000] x60) {{ {layers} }}"
    assert len(onnx_reader.read(model(text).SerializeToString()).graph["nodes"]) == 60

"""A model as ONNX: another runtime answers the same within 1e-5, for every op that has a row."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from kernels import forward, ops, reference
from kernels.exchange import onnx_operators, onnx_writer
from kernels.exchange.wasm import ExportRefused, Texts
from kernels.forward import Forward
from kernels.graph import leaf
from kernels.graphfields import GraphRefused
from tests.kernels.examples import EXAMPLES, example
from tests.kernels.networks import NETWORKS, answers

TEXTS = Texts({"features": ["a"], "classes": ["b"]}, {"dataset": "made up"})
# these have no rows of their own
NO_ROWS = {"matmul_tn", "constant"}
WRITTEN = sorted(set(EXAMPLES) & set(onnx_operators.ROWS) - NO_ROWS)


def run(blob, inputs):
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    given = {
        name: values.astype(np.int64) if values.dtype == np.uint32 else values
        for name, values in inputs.items()
    }
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, given), strict=True))


def assert_close(found, expected):
    """Within 1e-5, as a share of the largest number where that is more than 1."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()), rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_answers_like_our_sandbox(name, simd):
    network = NETWORKS[name]()
    blob = onnx_writer.export(network.graph, network.arrays, TEXTS)
    (given,) = network.graph["inputs"]
    found = run(blob, {given["name"]: network.rows})
    expected = answers(network, network.rows, simd)
    assert set(found) == set(expected)
    for output, values in expected.items():
        assert_close(found[output], values)


@pytest.mark.parametrize("name", WRITTEN)
def test_an_op_means_the_same_there(name):
    """What has the leading size of the output is an input with rows; the rest are weights."""
    node, memory = example(name, np.random.default_rng(4), 3, 5, 4)
    terms = ops.TABLE[name].signature
    rows = terms.outputs[0].sizes[0][1]
    inputs, parameters = {}, {}
    for term, source in zip(terms.inputs, node.sources, strict=True):
        (inputs if term.sizes[0][1] == rows else parameters)[source.name] = source
    arrays = {name: memory[source] for name, source in parameters.items()}
    graph = forward.to_json(Forward(inputs, parameters, {"y": node}))
    found = run(onnx_writer.export(graph, arrays, TEXTS), {n: memory[s] for n, s in inputs.items()})
    reference.run([node], memory)
    assert_close(found["y"], memory[node])


def test_an_lstm_takes_its_projection_in():
    network = NETWORKS["recurrent"]()
    model = onnx.load_from_string(onnx_writer.export(network.graph, network.arrays, TEXTS))
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("LSTM") == 3
    assert "Gemm" not in operators
    names = {initializer.name for initializer in model.graph.initializer}
    assert not names & set(network.arrays)  # ours are held in ONNX's order instead, once


def test_the_file_says_what_it_is():
    network = NETWORKS["dense"]()
    blob = onnx_writer.export(network.graph, network.arrays, TEXTS)
    model = onnx.load_from_string(blob)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (10, 21)
    said = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert said == {"signature": TEXTS.signature, "provenance": TEXTS.provenance}
    (given,) = model.graph.input
    assert [size.dim_param or size.dim_value for size in given.type.tensor_type.shape.dim] == [
        "rows",
        64,
    ]
    assert blob == onnx_writer.export(network.graph, network.arrays, TEXTS)


def test_what_cannot_be_written_is_named():
    x = leaf("x", (1, 3, 2))
    node = ops.apply("previous", x, attributes={"reverse": 0})
    graph = forward.to_json(Forward({"x": x}, {}, {"y": node}))
    with pytest.raises(ExportRefused, match="previous cannot be written as ONNX"):
        onnx_writer.export(graph, {}, TEXTS)
    network = NETWORKS["dense"]()
    with pytest.raises(ExportRefused, match="missing or not of this network: extra"):
        onnx_writer.export(network.graph, dict(network.arrays) | {"extra": np.zeros(1)}, TEXTS)
    with pytest.raises(GraphRefused):
        onnx_writer.export({}, {}, TEXTS)

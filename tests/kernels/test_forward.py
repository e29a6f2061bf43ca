"""A forward pass as JSON: what it says, that it comes back, and what is not believed."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import forward, ops, reference
from kernels.forward import PROGRAM, Forward
from kernels.graph import leaf, reshape, view
from kernels.graphfields import GraphRefused
from kernels.limits import Limits, OutOfMemory, TapeRefused
from kernels.runtime import Sandbox

VALUES = {
    name: np.random.default_rng(number).standard_normal(shape).astype(np.float32)
    for number, (name, shape) in enumerate(
        {"mean": (6,), "scale": (6,), "weight": (3, 5), "bias": (5,)}.items()
    )
}


def classifier(rows):
    """Six features as two steps of three, a dense layer over each, probabilities and logits."""
    x = leaf("x", (rows, 6))
    parameters = {name: leaf(name, values.shape) for name, values in VALUES.items()}
    standard = ops.apply("standardise", x, parameters["mean"], parameters["scale"])
    steps = reshape(standard, (2 * rows, 3))
    hidden = ops.apply("matmul_nn", steps, parameters["weight"])
    hidden = ops.apply("gelu", ops.apply("bias", hidden, parameters["bias"]))
    logits = reshape(hidden, (rows, 10))
    outputs = {"probabilities": ops.apply("softmax", logits), "logits": logits, "same": logits}
    return Forward({"x": x}, parameters, outputs)


@pytest.fixture
def raw():
    return json.loads(json.dumps(forward.to_json(classifier(1))))


def test_a_forward_pass_comes_back_from_json_with_more_rows(raw):
    found = forward.from_json(raw, 7)
    assert found.inputs["x"].shape == (7, 6)
    assert [node.shape for node in found.outputs.values()] == [(7, 10)] * 3
    assert forward.to_json(forward.from_json(raw, 1)) == raw


def test_one_tape_serves_any_number_of_rows_with_the_same_bits(raw, module):
    plan = forward.prediction_plan(lambda rows: forward.from_json(raw, rows), 9)
    sandbox = Sandbox(module, plan.plan, Limits())
    rows = np.random.default_rng(1).standard_normal((9, 6)).astype(np.float32)
    for name, values in VALUES.items():
        sandbox.array(plan.parameters[name])[...] = values
    sandbox.array(plan.inputs["x"])[...] = rows
    sandbox.call(PROGRAM, 0, 1, 9)
    together = {name: sandbox.array(place).copy() for name, place in plan.outputs.items()}
    for number in range(9):
        sandbox.array(plan.inputs["x"])[0] = rows[number]
        sandbox.call(PROGRAM, 0, 1, 1)
        for name, place in plan.outputs.items():
            np.testing.assert_array_equal(sandbox.array(place)[0], together[name][number])
    whole = classifier(9)
    memory = {whole.inputs["x"]: rows} | {whole.parameters[n]: v for n, v in VALUES.items()}
    reference.run(whole.outputs.values(), memory)
    for name, node in whole.outputs.items():
        np.testing.assert_allclose(together[name], memory[node], rtol=1e-5, atol=1e-6)


def test_an_input_may_be_an_output_too(simd):
    def echo(rows):
        x = leaf("x", (rows, 3))
        return Forward({"x": x}, {}, {"echo": x, "relu": ops.apply("relu", x)})

    plan = forward.prediction_plan(echo, 2)
    sandbox = Sandbox(simd, plan.plan, Limits())
    sandbox.array(plan.inputs["x"])[...] = [[-1, 2, -3], [4, -5, 6]]
    sandbox.call(PROGRAM, 0, 1, 2)
    assert sandbox.array(plan.outputs["echo"]).tolist() == [[-1, 2, -3], [4, -5, 6]]
    assert sandbox.array(plan.outputs["relu"]).tolist() == [[0, 2, 0], [4, 0, 6]]


def test_the_capacity_falls_with_the_work_of_a_row():
    def wide(width):
        x, weight = leaf("x", (1, width)), leaf("w", (width, width))
        return Forward({"x": x}, {"w": weight}, {"y": ops.apply("matmul_nn", x, weight)})

    found = [forward.capacity(wide(width)) for width in (8, 1_024, 8_192, 32_768)]
    assert found[0] == forward.ROWS_MOST
    assert found[1] > 200  # what a product borrows is as large for any number of rows
    assert found == sorted(found, reverse=True)
    assert found[-1] == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("nodes", 0, "op"), "explode", r"nodes\[0\] \(explode\): no such op"),
        (("nodes", 0, "op"), "put_rows", r"\(put_rows\): changes memory"),
        (("nodes", 0, "op"), "take_rows", r"\(take_rows\): counts steps or draws"),
        (("nodes", 3, "op"), "relu_gradient", "belongs to training"),
        (("nodes", 0, "op"), "uniform", r"\(uniform\): counts steps or draws"),
        (("nodes", 0, "sources"), [0, 1, 5], "source 5 is no node before it"),
        (("nodes", 0, "sources"), [0, 1, -1], "source -1 is no node before it"),
        (("nodes", 0, "sources"), [0, 1, True], "source True is no node before it"),
        (("nodes", 0, "sources"), [0, 1], "takes 3 sources, not 2"),
        (("nodes", 0, "sizes"), {"m": 2}, "does not know m"),
        (("nodes", 0, "attributes"), {"rate": 1}, "does not know rate"),
        (("nodes", 1, "shape"), [4, 3], "has not as many elements"),
        (("nodes", 1, "shape"), [2, 0], "shape must be 1 to 8 sizes"),
        (("nodes", 1, "shape"), [2**20, 2**20], "more than"),
        (("nodes", 2, "op"), "matmul_nt", "k is 3 and 5 at once"),
        (("nodes", 5, "op"), "part", "has no further value None"),
        (("nodes", 6), 7, r"nodes\[6\]: must be an object"),
        (("inputs", 0, "dtype"), "f8", "must be one of f4, u4"),
        (("inputs", 0, "dtype"), "i1", "must be one of f4, u4"),
        (("parameters", 0, "dtype"), "u4", "must be one of f4, i1"),
        (("inputs", 0, "name"), "../x y", "inputs.0..name: must be letters"),
        (("inputs",), [], "must be some"),
        (("parameters", 0, "shape"), [1], r"nodes\[0\] \(standardise\): "),
        (("parameters", 0, "name"), "x", "no parameters: .'x'"),
        (("parameters", 0, "name"), "scale", "and stand once"),
        (("outputs", 0, "node"), 3, "must be numbers computed from an input"),
        (("outputs", 0, "node"), 99, "source 99 is no node before it"),
        (("outputs",), [], "must be some"),
        (("nodes",), [], "source 11 is no node"),
        (("secret",), 1, "does not know secret"),
    ],
)
def test_json_that_is_no_forward_pass_is_refused(path, value, message, raw):
    broken = copy.deepcopy(raw)
    at = broken
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(GraphRefused, match=message):
        forward.from_json(broken, 3)


def test_tokens_are_below_what_the_smallest_table_knows():
    x = leaf("x", (1, 4), "u4")
    few, many = leaf("few", (7, 2)), leaf("many", (9, 2))
    looked_up = [ops.apply("embedding", x, table) for table in (many, few)]
    made = Forward({"x": x}, {}, {"y": ops.apply("sum", *looked_up)})
    assert forward.vocabulary(made, x) == 7
    hot = ops.apply("one_hot", reshape(x, (4, 1)), sizes={"n": 5})
    assert forward.vocabulary(Forward({"x": x}, {}, {"y": hot}), x) == 5


@pytest.mark.parametrize("name", ops.TABLE)
def test_an_op_that_looks_up_by_whole_numbers_says_how_large_they_may_be(name):
    """Or a network in use does not have it, since its answer is no row for a row."""
    row = ops.TABLE[name]
    reads = [term.dtype == "u4" for term in row.signature.inputs]
    if not any(reads) or row.below is not None:
        assert row.below is None or row.below in row.signature.sizes
        return
    with pytest.raises(GraphRefused):
        forward.refuse_unfit(name, row, "here")
        forward.refuse_mixing(row, reads, "here")


def test_tokens_that_are_handed_on_are_bounded_all_the_same():
    tokens = leaf("tokens", (1, 6), "u4")
    table, scales = leaf("table", (7, 2), "i1"), leaf("scales", (7,))
    moved = ops.apply("copy", reshape(tokens, (2, 3)))
    found = ops.apply("embedding_int8", reshape(moved, (1, 6)), table, scales)
    made = Forward({"tokens": tokens}, {"table": table, "scales": scales}, {"y": found})
    again = forward.from_json(forward.to_json(made), 1)
    assert forward.vocabulary(again, again.inputs["tokens"]) == 7


def test_no_row_may_see_another(raw):
    """Sums over all rows, products of rows with rows."""
    mixing = copy.deepcopy(raw)
    mixing["nodes"][-1] = {"op": "sum_rows", "sources": [10]}
    with pytest.raises(GraphRefused, match="the leading size must grow with the rows"):
        forward.from_json(mixing, 1)
    mixing["nodes"][-1] = {"op": "matmul_nt", "sources": [10, 10]}
    with pytest.raises(GraphRefused, match="the leading size must grow with the rows"):
        forward.from_json(mixing, 4)


def test_what_nothing_reads_is_refused(raw):
    x = leaf("x", (1, 3))
    spare = Forward({"x": x}, {"w": leaf("w", (2,))}, {"y": ops.apply("relu", x)})
    with pytest.raises(GraphRefused, match="nothing reads w"):
        forward.to_json(spare)
    raw["parameters"].append({"name": "spare", "shape": [2], "dtype": "f4"})
    with pytest.raises(GraphRefused):
        forward.from_json(raw, 1)


def test_only_whole_leaves_can_be_written():
    x, block = leaf("x", (1, 3)), leaf("all", (9,))
    part = view(block, 3, (3,), "bias")
    graph = Forward({"x": x}, {}, {"y": ops.apply("bias", x, part)})
    with pytest.raises(GraphRefused, match="all: a leaf that is neither input nor parameter"):
        forward.to_json(graph)


WEIRD = st.sampled_from([*range(8), 2**16, 2**31, 2**32 - 1])
IN_USE = [name for name, row in ops.TABLE.items() if row.signature.outputs]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(IN_USE), data=st.data())
def test_any_op_with_any_sizes_and_attributes_runs_or_is_refused(name, data, simd):
    """What was read runs in the sandbox: no kernel leaves its operands, none divides by zero."""
    row = ops.TABLE[name]
    sizes = {size: data.draw(st.integers(1, 5)) for size in row.signature.sizes}
    leaves = [
        {"name": f"x{number}", "shape": list(term.shape(sizes)), "dtype": "f4"}
        | ({"dtype": term.dtype} if term.dtype != "*" else {})
        for number, term in enumerate(row.signature.inputs)
    ]
    inputs = data.draw(st.integers(0, len(leaves)))
    node = {"op": name, "sources": list(range(len(leaves))), "attributes": {}, "sizes": {}}
    for key, kind in row.attributes.items():
        node["attributes"][key] = data.draw(WEIRD if kind is int else st.floats(-9, 9, width=32))
    for key in forward.unseen(row):
        node["sizes"][key] = data.draw(st.just(sizes[key]) | WEIRD)
    outputs = [{"name": "y", "node": len(leaves)}]
    raw = {"inputs": leaves[:inputs], "parameters": leaves[inputs:], "nodes": [node]}
    try:
        forward.from_json(raw | {"outputs": outputs}, 3)
    except GraphRefused:
        return
    plan = forward.prediction_plan(lambda n: forward.from_json(raw | {"outputs": outputs}, n), 3)
    try:
        assert Sandbox(simd, plan.plan, Limits()).call(PROGRAM, 0, 1, 2) == 1
    except (OutOfMemory, TapeRefused):
        return  # too large, and said so; a trap would be an operand that was left


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=4,
)


def places(raw, path=()):
    yield path
    inner = (
        raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*path, key))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_is_written_in_any_place_never_crashes(data):
    """Any op under any name with any operands: a forward pass that can be planned, or a refusal."""
    broken = forward.to_json(classifier(1))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(broken) if path]))
        at = broken
        for step in path[:-1]:
            at = at[step]
        value = VALUE
        if path[-1] == "op":
            value = st.sampled_from([*ops.TABLE, "reshape", "part", "leaf", "view"])
        if path[-1] == "sources":
            value = st.lists(st.integers(0, 12), max_size=4)
        at[path[-1]] = data.draw(value | VALUE)
    try:
        found = forward.from_json(broken, 3)
    except GraphRefused:
        return
    assert forward.capacity(forward.from_json(broken, 1)) >= 1
    plan = forward.prediction_plan(lambda rows: forward.from_json(broken, rows), 3)
    assert set(plan.outputs) == set(found.outputs)

"""The memory plan: nothing that lives overlaps, what died is reused, depth is no obstacle."""

import itertools

import numpy as np
import pytest

from kernels import config, ops
from kernels.autodiff import root
from kernels.compiler import Program, compile_programs
from kernels.data import DataShape
from kernels.graph import in_order, leaf, view
from kernels.limits import Limits
from kernels.ops import apply
from kernels.placement import is_memory
from kernels.programs import training_plan
from kernels.runtime import Sandbox
from kernels.signature import ShapeError
from kernels.tape import extents_bytes


def deep_network(layers, optimizer="adam"):
    raw = {
        "architecture": {
            "type": "feedforward",
            "layers": [{"type": "dense", "units": 32, "activation": "gelu"}] * layers,
        },
        "training": {
            "epochs": 1, "batch_size": 16, "learning_rate": 0.01, "optimizer": optimizer,
        },
    }  # fmt: skip
    settings = config.parse(raw, DataShape.table(20, 4))
    return training_plan(settings, rows=64, validation_rows=40, seed=1)


def spans(instruction):
    """The words of each operand: the outputs first, then sources, then scratch."""
    lengths = extents_bytes(ops.TABLE[instruction.op], instruction.sizes)
    addresses = zip(instruction.addresses, lengths, strict=True)
    return [range(address, address + length, 4) for address, length in addresses]


def replay(node, instruction, owner):
    """Run one instruction on a map of which value each word of scratch holds."""
    parts, several = spans(instruction), len(ops.TABLE[node.op].signature.outputs)
    outputs, parts = parts[:several], parts[several:]
    sources, scratch = parts[: len(node.sources)], parts[len(node.sources) :]
    for source, words in zip(map(root, node.sources), sources, strict=True):
        if source.op not in ("leaf", "view"):
            assert {owner[word] for word in words} == {value(source)}
    may_share = parts[:1] if ops.TABLE[node.op].in_place else []
    for output, words in itertools.product(outputs, parts):
        is_apart = output.stop <= words.start or words.stop <= output.start
        assert is_apart or (words in may_share and words == output)
    for words in scratch:
        owner.update(dict.fromkeys(words))
    for number, words in enumerate(outputs):
        owner.update(dict.fromkeys(words, (node, number)))


def value(node):
    """Which of the values of which instruction it is."""
    return (node.sources[0], node.attributes["number"]) if node.op == "part" else (node, 0)


def test_no_instruction_writes_over_a_value_that_is_still_read():
    plan = deep_network(8).plan
    for name, program in plan.source.items():
        nodes = [n for n in in_order(program.roots) if not is_memory(n)]
        owner = {}
        instructions = plan.tape.programs[plan.programs[name]]
        for node, instruction in zip(nodes, instructions, strict=True):
            replay(node, instruction, owner)


def test_dead_values_are_reused():
    plan = deep_network(24).plan
    assert plan.scratch_bytes < 0.55 * plan.unshared_bytes
    leaves = [node for node in plan.addresses if node.op == "leaf"]
    for one, other in itertools.combinations(leaves, 2):
        first, second = plan.addresses[one], plan.addresses[other]
        assert first + 4 * one.elements <= second or second + 4 * other.elements <= first


def test_a_chain_of_ten_thousand_nodes_compiles_and_runs(simd):
    x = node = leaf("x", (3,))
    for _ in range(10_000):
        node = apply("sum", node, x)
    plan = compile_programs({"main": Program([node], {node: x})})
    assert plan.scratch_bytes <= 2 * 64
    sandbox = Sandbox(simd, plan, Limits())
    sandbox.array(x)[...] = [1, 2, 3]
    sandbox.run("main", 0, 1)
    assert sandbox.array(x).tolist() == [10_001, 20_002, 30_003]


def test_parameters_are_views_of_one_block_in_their_order():
    plan = deep_network(2)
    base = plan.plan.addresses[plan.weights.whole]
    end = base
    for part in plan.weights.parts.values():
        assert plan.plan.addresses[part] == end
        end += 4 * part.elements
    assert end == base + 4 * plan.weights.whole.elements


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, y: apply("matmul_nn", x, x), r"matmul_nn .*: k is 3 and 2 at once"),
        (lambda x, y: apply("matmul_nn", x, y), r"source of shape \(4,\) must be \(k, n\)"),
        (lambda x, y: apply("relu", x, y), "relu takes 1 sources, not 2"),
        (lambda x, y: apply("sum", x, y), "count is 6 and 4 at once"),
        (lambda x, y: apply("record", x, y, y), r"must be \(2\)"),
        (lambda x, y: apply("record", y, x, x), "2 is 2 and 4 at once"),
        (lambda x, y: apply("dropout", x), "dropout has attributes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_when_the_graph_is_built(make, message):
    with pytest.raises(ShapeError, match=message):
        make(leaf("x", (2, 3)), leaf("y", (4,)))


def test_a_view_cannot_reach_past_its_leaf():
    with pytest.raises(AssertionError, match="reaches past the end"):
        view(leaf("x", (4,)), 2, (3,), "part")


def test_leaves_start_as_zeros(simd):
    x = leaf("x", (1_000,))
    node = apply("exp", x)
    sandbox = Sandbox(simd, compile_programs({"main": Program([node])}), Limits())
    np.testing.assert_array_equal(sandbox.array(x), np.zeros(1_000))

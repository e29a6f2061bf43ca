"""A profile: what it times adds up, belongs to somebody, and disturbs nothing."""

import numpy as np
import pytest

from kernels import autodiff, build, ops, profile
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf, view
from kernels.limits import Limits
from kernels.runtime import Sandbox


@pytest.fixture
def sandbox():
    """Two layers and what trains them, with numbers in all leaves."""
    rows, labels = leaf("rows", (16, 12)), leaf("labels", (16, 1), "u4")
    weights, slopes = leaf("weights", (12 * 8 + 8 * 4,)), leaf("gradients", (12 * 8 + 8 * 4,))
    own, places = (
        (view(of, 0, (12, 8), "dense0.weight"), view(of, 96, (8, 4), "dense1.weight"))
        for of in (weights, slopes)
    )
    losses, corrects = leaf("losses", (4,)), leaf("corrects", (4,))
    hidden = ops.apply("tanh", ops.apply("matmul_nn", rows, own[0]))
    loss = ops.apply("cross_entropy", ops.apply("matmul_nn", hidden, own[1]), labels)
    found = gradients_of(loss, own, places)
    move = ops.apply(
        "sgd",
        weights,
        slopes,
        leaf("velocity", (128,)),
        rate := leaf("rate", (1,)),
        attributes={"momentum": 0.9, "nesterov": 0},
    )
    record = ops.apply("record", loss, losses, corrects)
    plan = compile_programs({"train": Program([record, *found, move], found)})
    made = Sandbox(build.module(), plan, Limits())
    rng = np.random.default_rng(3)
    made.array(rate)[...] = 0.1
    made.array(rows)[...] = rng.standard_normal((16, 12))
    made.array(weights)[...] = rng.standard_normal(128)
    made.array(labels)[...] = rng.integers(0, 4, (16, 1))
    return made


def gradients_of(loss, parameters, places):
    found = autodiff.gradients(loss, parameters)
    return {found[parameter]: place for parameter, place in zip(parameters, places, strict=True)}


def test_shares_add_up_to_one_and_operations_to_those_of_the_program(sandbox):
    found = profile.measure(sandbox, "train", module=build.module())
    assert sum(timing.share for timing in found.timings) == pytest.approx(1)
    assert sum(timing.flops for timing in found.timings) == sandbox.plan.flops["train"]
    assert found.step_seconds > 0
    for groups in (found.by_op(), found.by_layer()):
        assert sum(row["us"] for row in groups) == pytest.approx(1e6 * found.seconds)
        assert sum(row["instructions"] for row in groups) == len(found.timings)


def test_every_instruction_belongs_to_a_layer_or_to_training(sandbox):
    found = profile.measure(sandbox, "train", module=build.module())
    layers = [(timing.op, timing.layer) for timing in found.timings]
    assert layers == [
        ("matmul_nn", "dense0"),
        ("tanh", "dense0"),
        ("matmul_nn", "dense1"),
        ("cross_entropy", "dense1"),
        ("record", "training"),
        ("cross_entropy_gradient", "dense1"),
        ("matmul_nt", "dense1"),
        ("tanh_gradient", "dense0"),
        ("matmul_tn", "dense0"),
        ("matmul_tn", "dense1"),
        ("sgd", "training"),
    ]


def test_measuring_leaves_the_sandbox_as_it_was(sandbox):
    before = sandbox.arena.copy()
    profile.measure(sandbox, "train", module=build.module(), step=2)
    np.testing.assert_array_equal(sandbox.arena, before)


@pytest.mark.parametrize("block", [3, 60])
def test_walking_a_step_leaves_what_the_step_leaves(sandbox, block):
    """However often each instruction was repeated, those after it find what they would find."""
    walk = profile.Walk(build.module(), sandbox, step=2, rows=1)
    whole = sandbox.plan.tape.programs[0]
    for first in range(0, len(whole), block):
        walk.load(whole, whole[first : first + block])
        assert len(list(walk.timed(whole[first : first + block]))) == len(
            whole[first : first + block]
        )
    sandbox.run("train", 2, 1)
    np.testing.assert_array_equal(walk.arena, sandbox.arena)


def test_a_large_product_takes_most_of_the_time_near_its_real_speed():
    a, b, x = leaf("a", (256, 256)), leaf("big.weight", (256, 256)), leaf("x", (8,))
    roots = [ops.apply("matmul_nn", a, b), ops.apply("relu", x)]
    made = Sandbox(build.module(), compile_programs({"main": Program(roots)}), Limits())
    found = profile.measure(made, "main", module=build.module())
    product, relu = found.timings
    assert product.share > 0.9 > 0.1 > relu.share
    assert product.gflops > 1
    assert product.bytes == 3 * 4 * 256**2
    assert found.to_json()["layers"][0]["layer"] == "big"

"""Losses, their sums, optimisers and noise against PyTorch: where it is installed against itself,
and always against what it said.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from kernels import optimizers
from kernels.autodiff import gradients
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf, reshape
from kernels.limits import Limits
from kernels.ops import apply, noise
from kernels.philox import stream
from kernels.runtime import Sandbox
from kernels.schedules import Patience, schedule
from tests.kernels import torch_objectives as peer

FIGURES = json.loads((Path(__file__).parent / "figures" / "objectives.json").read_text())
GIVEN = peer.numbers()
# what stands beside x in each loss, and its attributes
LOSSES = {
    "cross_entropy": (["labels"], {}),
    "weighted_cross_entropy": (["labels", "weights"], {"smoothing": peer.SMOOTHING}),
    "soft_cross_entropy": (["shares"], {}),
    "binary_cross_entropy": (["halves"], {}),
    "squared_error": (["targets"], {}),
    "absolute_error": (["targets"], {}),
    "huber": (["targets"], {"delta": peer.DELTA}),
    "quantile": (["targets"], {"tau": peer.TAU}),
    "divergence": (["targets"], {}),
    "policy_gradient": (["labels", "advantages"], {"bonus": peer.BONUS}),
    "action_value": (["labels", "advantages"], {"delta": peer.DELTA}),
}


def leaves():
    """A leaf for each array that losses take, and what is in it."""
    memory = {}
    for name in ("x", "labels", "weights", "shares", "targets", "halves", "advantages"):
        values = GIVEN[name].astype(np.uint32) if name == "labels" else GIVEN[name]
        memory[leaf(name, values.shape, "u4" if name == "labels" else "f4")] = values
    return {node.name: node for node in memory}, memory


def run(module, roots, memory, steps=1):
    """Where each root ends up, after all of them ran so many times."""
    into = {node: leaf(f"out{at}", node.shape) for at, node in enumerate(roots) if node.shape}
    sandbox = Sandbox(
        module, compile_programs({"main": Program(roots, into)}), Limits(memory_bytes=2**22)
    )
    for node, values in memory.items():
        if node in sandbox.plan.addresses:
            sandbox.array(node)[...] = values
    sandbox.run("main", 0, steps)
    return sandbox, [sandbox.array(place).copy() for place in into.values()]


def test_the_stored_figures_are_what_pytorch_says():
    torch = pytest.importorskip("torch")
    now = peer.figures(torch)
    assert now["losses"].keys() == FIGURES["losses"].keys()
    for name, (value, slope) in now["losses"].items():
        assert value == pytest.approx(FIGURES["losses"][name][0], rel=1e-6)
        np.testing.assert_allclose(slope, FIGURES["losses"][name][1], atol=1e-6)
    for name, moved in now["parameters"].items():
        np.testing.assert_allclose(moved, FIGURES["parameters"][name], atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_pytorchs(name, module):
    sources, attributes = LOSSES[name]
    nodes, memory = leaves()
    loss = apply(name, nodes["x"], *(nodes[source] for source in sources), attributes=attributes)
    slope = gradients(loss, [nodes["x"]])[nodes["x"]]
    _, (found, slopes) = run(module, [loss, slope], memory)
    value, expected = FIGURES["losses"][name]
    assert found[0] == pytest.approx(value, rel=2e-6)
    np.testing.assert_allclose(slopes, expected, rtol=0, atol=5e-7)


def test_losses_are_added_by_their_weights_and_so_are_their_gradients(module):
    """0.5 · (0.25 · squared + 2 · cross-entropy) + 3 · absolute: a sum in a sum."""
    nodes, memory = leaves()
    x = nodes["x"]
    squared = apply("squared_error", x, nodes["targets"])
    classes = apply("cross_entropy", x, nodes["labels"])
    absolute = apply("absolute_error", x, nodes["targets"])
    inner = apply(
        "add_losses", squared, classes, attributes={"first_weight": 0.25, "second_weight": 2.0}
    )
    total = apply(
        "add_losses", inner, absolute, attributes={"first_weight": 0.5, "second_weight": 3.0}
    )
    _, (found, slopes) = run(module, [total, gradients(total, [x])[x]], memory)
    weights = {"squared_error": 0.125, "cross_entropy": 1.0, "absolute_error": 3.0}
    value = sum(weight * FIGURES["losses"][name][0] for name, weight in weights.items())
    slope = sum(weight * np.array(FIGURES["losses"][name][1]) for name, weight in weights.items())
    assert found[0] == pytest.approx(value, rel=2e-6)
    assert found[1] == pytest.approx(np.abs(GIVEN["x"] - GIVEN["targets"]).mean(axis=1).sum())
    np.testing.assert_allclose(slopes, slope, atol=1e-6)


@pytest.mark.parametrize("name", peer.OPTIMIZERS)
def test_ten_steps_of_an_optimiser_lead_where_pytorchs_do(name, module):
    kind, _, ours = peer.OPTIMIZERS[name]
    choices = {key: value for key, value in ours.items() if key not in ("l2", "clip_norm")}
    size = (peer.PARAMETERS,)
    p, stored = leaf("p", size), leaf("gradients", GIVEN["gradients"].shape)
    rate, steps, g = leaf("rate", (1,)), leaf("steps", (1,)), leaf("g", size)
    moments = [leaf(moment, size) for moment in optimizers.MOMENTS[kind.lower()]]
    taken = apply("take_rows", stored, sizes={"b": 1}, attributes={"first": 0})
    taken = apply("copy", reshape(taken, size))
    roots = [taken]
    if "l2" in ours:
        roots.append(apply("regularise", g, p, attributes={"l1": 0.0, "l2": ours["l2"]}))
    if "clip_norm" in ours:
        roots.append(apply("clip_norm", g, attributes={"limit": ours["clip_norm"]}))
    roots.append(optimizers.move(kind.lower(), p, g, moments, rate, steps, **choices))
    plan = compile_programs({"main": Program(roots, {taken: g})})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=2**22))
    sandbox.array(p)[...], sandbox.array(rate)[...] = GIVEN["begin"], peer.RATE
    sandbox.array(stored)[...] = GIVEN["gradients"]
    sandbox.run("main", 0, peer.STEPS)
    # a few units in the last place of numbers up to 3; PyTorch's clipping adds 1e-6 to the norm
    np.testing.assert_allclose(sandbox.array(p), FIGURES["parameters"][name], rtol=1e-6, atol=1e-6)


# ------------------------------------------------------------------------------------- noise


def test_a_variational_code_is_drawn_from_its_gaussian_and_hands_gradients_on(module):
    rows = 20_000
    mean, spread = leaf("mean", (rows, 1)), leaf("spread", (rows, 1))
    memory = {mean: np.full((rows, 1), 2.0), spread: np.full((rows, 1), math.log(9.0))}
    draw = noise.reparameterised(mean, spread, stream(5, 77))
    loss = apply("squared_error", draw, mean)
    slopes = gradients(loss, [mean, spread])
    _, (sample, by_spread) = run(module, [draw, slopes[spread]], memory)
    assert sample.mean() == pytest.approx(2.0, abs=4 * 3 / math.sqrt(rows))
    assert sample.std() == pytest.approx(3.0, rel=0.03)
    # the loss is the mean of (sample - mean)², whose slope in the logarithm is that square
    np.testing.assert_allclose(by_spread, (sample - 2.0) ** 2 / rows, atol=1e-8)


def test_noise_is_another_one_in_every_step(simd):
    x = leaf("x", (9,))
    shown = noise.disturbed(x, 0.5, stream(5, 77))
    first, second = (run(simd, [shown], {}, steps)[1][0] for steps in (1, 2))
    assert not np.array_equal(first, second)
    assert 0 < np.abs(first).max() < 3


# --------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("constant", lambda s: 1),
        ("plateau", lambda s: 1),
        ("step", lambda s: 0.1 ** (s // 30)),
        ("cosine", lambda s: (1 + math.cos(math.pi * (s - 10) / 90)) / 2 if s >= 10 else 1),
    ],
)
def test_a_rate_warms_up_and_then_takes_its_shape(kind, shape, module):
    rate, factor = leaf("rate", (1,)), leaf("factor", (1,))
    moved = schedule(
        kind, rate, factor, learning_rate=0.4, steps_total=100, warmup_steps=10, every_steps=30
    )
    plan = compile_programs({"main": Program([moved])})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=2**22))
    sandbox.array(factor)[...] = 0.5
    for step in range(100):
        sandbox.call("main", step, 1)
        wanted = 0.4 * 0.5 * min(1, (step + 1) / 10) * shape(step)
        assert sandbox.array(rate)[0] == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_patience_ends_after_epochs_that_were_no_better():
    patience = Patience(2)
    assert [patience.is_over(loss) for loss in (3.0, 2.0, 2.0, 1.9, 2.0, 1.9, 1.8)] == [
        *[False] * 5,
        True,
        False,
    ]
    again = Patience(2)
    again.restore(patience.state())
    assert again == patience
    assert [again.is_over(loss) for loss in (9.0, math.nan)] == [False, True]

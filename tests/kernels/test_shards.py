"""Shards: one batch in parts on several threads, to the same bits on any number of them."""

from dataclasses import dataclass

import numpy as np
import pytest

from kernels import build, ops
from kernels.autodiff import gradients
from kernels.compiler import Plan, Program, compile_programs
from kernels.graph import Node, leaf, view
from kernels.limits import DeadlineExceeded, Limits, OutOfMemory, SandboxError, Trapped
from kernels.philox import stream
from kernels.runtime import Sandbox
from kernels.shards import Phase, Shards

ROWS, BATCH, STEPS_PER_EPOCH, WIDTH, CLASSES = 96, 16, 6, 12, 5
MEMORY = Limits(memory_bytes=64 * 2**20)


@dataclass(frozen=True)
class Run:
    """Plan of a small network with dropout, of which a shard sees BATCH / shards rows."""

    plan: Plan
    rows: Node
    labels: Node
    weights: Node
    rate: Node
    losses: Node
    gradients: Node

    @property
    def phases(self):
        return [Phase("slopes", "move", self.gradients)]


def made(shards):
    rows, labels = leaf("rows", (ROWS, WIDTH)), leaf("labels", (ROWS, 1), "u4")
    order, tag = leaf("order", (ROWS,), "u4"), leaf("tag", (1,), "u4")
    elements = WIDTH * CLASSES
    weights, slopes = leaf("weights", (elements,)), leaf("gradients", (elements,))
    losses = leaf("losses", (STEPS_PER_EPOCH * shards,))
    corrects = leaf("corrects", (STEPS_PER_EPOCH * shards,))
    part = view(weights, 0, (WIDTH, CLASSES), "weight")
    into = view(slopes, 0, (WIDTH, CLASSES), "slope")
    epoch = {"steps_per_epoch": STEPS_PER_EPOCH * shards}
    size = {"b": BATCH // shards}
    shuffle = ops.apply("shuffle", order, tag, attributes=epoch | stream(5, 1))
    x, y = (ops.apply("gather", of, order, sizes=size, attributes=epoch) for of in (rows, labels))
    kept = {"drop_below": 2**22, "scale": 4 / 3} | stream(5, 2)
    x = ops.apply("dropout", x, attributes=kept)
    loss = ops.apply("cross_entropy", ops.apply("matmul_nn", x, part), y)
    found = gradients(loss, [part])[part]
    record = ops.apply("record", loss, losses, corrects)
    velocity, rate = leaf("velocity", (elements,)), leaf("rate", (1,))
    rates = {"momentum": 0.9, "nesterov": 0}
    move = ops.apply("sgd", weights, slopes, velocity, rate, attributes=rates)
    slopes_roots = [shuffle, record, found]
    plan = compile_programs(
        {
            "slopes": Program(slopes_roots, {found: into}),
            "move": Program([move]),
            "train": Program([*slopes_roots, move], {found: into}),
        }
    )
    return Run(plan, rows, labels, weights, rate, losses, slopes)


def numbers():
    rng = np.random.default_rng(8)
    rows = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    labels = rng.integers(0, CLASSES, (ROWS, 1)).astype(np.uint32)
    return rows, labels, rng.standard_normal(WIDTH * CLASSES).astype(np.float32), np.float32(0.1)


def filled(run):
    return zip((run.rows, run.labels, run.weights, run.rate), numbers(), strict=True)


def team(run, shards, threads, limits=MEMORY):
    found = Shards(
        build.module(), run.plan, run.phases, shards=shards, threads=threads, limits=limits
    )
    for node, values in filled(run):
        found.fill(node, values)
    return found


@pytest.mark.parametrize("shards", [2, 4])
def test_any_number_of_threads_gives_the_same_bits(shards):
    found = []
    for threads in (1, 2, 4):
        run = made(shards)
        shared = team(run, shards, threads)
        assert shared.run(0, 20) == 20
        weights = [box.array(run.weights) for box in shared.sandboxes]
        for other in weights[1:]:
            np.testing.assert_array_equal(other, weights[0])
        found.append(weights[0].copy())
        shared.close()
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    assert np.abs(found[0] - numbers()[2]).max() > 0.1


def test_one_shard_is_the_run_without_shards_to_the_bit():
    run = made(1)
    shared = team(run, 1, 1)
    shared.run(0, 20)
    plain = Sandbox(build.module(), run.plan, MEMORY)
    for node, values in filled(run):
        plain.array(node)[...] = values
    plain.run("train", 0, 20)
    np.testing.assert_array_equal(shared.array(run.weights), plain.array(run.weights))
    np.testing.assert_array_equal(shared.array(run.losses), plain.array(run.losses))


def test_a_run_may_be_cut_anywhere():
    whole, cut = (team(run := made(2), 2, 2) for _ in range(2))
    whole.run(0, 12)
    for first, steps in ((0, 1), (1, 7), (8, 4)):
        cut.run(first, steps)
    np.testing.assert_array_equal(whole.sandboxes[0].arena, cut.sandboxes[0].arena)
    assert run.plan.flops["slopes"] > 0


def test_shards_see_all_rows_of_a_batch_and_each_its_own_losses():
    """The gradient is that of the whole batch, but for the dropped inputs and the rounding."""
    run = made(4)
    shared = team(run, 4, 2)
    shared.run(0, STEPS_PER_EPOCH)
    losses = shared.total(run.losses)
    assert (losses > 0).all()
    for shard, box in enumerate(shared.sandboxes):
        own = box.array(run.losses)
        np.testing.assert_array_equal(np.flatnonzero(own) % 4, [shard] * STEPS_PER_EPOCH)


def test_a_loss_that_is_no_number_stops_all_before_they_move():
    run = made(2)
    shared = team(run, 2, 2)
    rows = numbers()[0]
    rows[:, 3] = np.nan
    shared.fill(run.rows, rows)
    assert shared.run(0, 5) == 0
    np.testing.assert_array_equal(shared.array(run.weights), numbers()[2])


def test_a_fault_of_one_shard_discards_all():
    run = made(2)
    shared = team(run, 2, 2)
    shared.sandboxes[1].array(run.labels)[...] = 99
    with pytest.raises(Trapped):
        shared.run(0, 1)
    with pytest.raises(SandboxError, match="discarded"):
        shared.array(run.weights)


def test_limits_hold_for_all_shards_together():
    run = made(4)
    with pytest.raises(OutOfMemory):
        team(run, 4, 1, Limits(memory_bytes=4 * 2**16))
    with pytest.raises(SandboxError, match="must be 1, 2, 4, 8 or 16, not 3"):
        team(run, 3, 1)
    with pytest.raises(DeadlineExceeded):
        team(run, 4, 1, Limits(memory_bytes=2**26, deadline_seconds=0.0)).run(0, 1)

"""Training: it learns, it repeats to the bit however it is cut, and it says no by name."""

import json
import threading
import time

import numpy as np
import pytest

from kernels import config, reference, tensors
from kernels.build import module as built
from kernels.checkpoints import CheckpointRefused
from kernels.data import DataError, DataShape, Target, TrainingData
from kernels.estimate import estimate
from kernels.limits import Limits
from kernels.programs import training_plan
from kernels.tensors import ModelRefused
from kernels.trainer import NonFinite, Trainer

PLAIN = [{"type": "dense", "units": 24, "activation": "relu"}]
RICH = [
    {"type": "input", "size": 64},
    {"type": "dense", "params": {"units": 24, "activation": "gelu"}},
    {"type": "dropout", "rate": 0.2},
    {"type": "feedforward", "params": {"hidden_dim": 17, "dropout": 0.1}},
    {"type": "hidden", "size": 9, "activation": "tanh"},
    {"type": "output", "size": 10, "activation": "softmax"},
]


def network(layers=None, *, divergent=None, pattern="lateral", **training):
    raw = {
        "architecture": {"type": "feedforward", "layers": PLAIN if layers is None else layers},
        "training": {"epochs": 3, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"}
        | training,
    }
    if divergent:
        raw["divergent"] = {"enabled": True, "pattern": pattern, "factor": divergent}
    return config.parse(raw, DataShape.table(64, 10))


def trainer(data, settings=None, *, seed=7, variant="simd", limits=None):
    return Trainer(settings or network(), data, seed=seed, module=built(variant), limits=limits)


def finished(run):
    list(run.run())
    return run.weights_sha256()


def test_digits_are_read_with_96_of_100_right(digits):
    layers = [{"type": "dense", "units": 128, "activation": "relu"}]
    run = trainer(digits, network(layers, epochs=30, learning_rate=0.001))
    points = list(run.run())
    assert [point.epoch for point in points] == list(range(1, 31))
    assert points[-1].validation_metric >= 0.96
    assert points[-1].train_loss < 0.05 < points[0].train_loss
    assert run.is_over


@pytest.mark.parametrize(
    "settings",
    [
        network(RICH),
        network(RICH, optimizer="sgd", momentum=0.9, learning_rate=0.05),
        network(divergent=0.3),
        network(batch_size=1, epochs=1),
        network(batch_size=4_096),
        network([{"type": "dropout", "rate": 0.5}]),
    ],
    ids=["adam", "sgd", "lateral", "batch of one", "batch of all", "one layer"],
)
def test_vectors_and_plain_floats_train_the_same_weights(settings, few):
    assert finished(trainer(few, settings)) == finished(trainer(few, settings, variant="scalar"))


def test_a_step_does_what_numpy_says_it_does(few):
    """The whole tape against the whole graph: order of rows, dropout, loss, gradients, Adam."""
    settings = network(RICH, batch_size=20)
    run = trainer(few, settings)
    plan = training_plan(settings, rows=203, validation_rows=70, seed=7)
    memory = {
        node: np.zeros(node.shape, "<" + node.dtype)
        for node in plan.plan.addresses
        if node.op == "leaf"
    }
    for name, node in plan.data.items():
        memory[node][...] = getattr(few, name).reshape(node.shape)
    memory[plan.moves.factor][...] = 1
    for name in ("measure", "initialise"):
        play(plan.plan.source[name], memory, 0)
    for step in range(12):
        play(plan.plan.source["train"], memory, step)
    points = list(run.run(steps=12))
    for name, place in plan.weights.parts.items():
        reference.run([place], memory)
        np.testing.assert_allclose(run.weights()[name], memory[place], atol=2e-4, err_msg=name)
    play(plan.plan.source["evaluate"], memory, 0)
    sums = plan.evaluations["evaluate"]
    assert points[0].validation_loss == pytest.approx(float(memory[sums.losses][0]), abs=0.05)


def play(program, memory, step):
    """Run a program in NumPy, roots in order, each value where the program wants it."""
    for root in program.roots:
        leaves = {node: array for node, array in memory.items() if node.op == "leaf"}
        reference.run([root], leaves, step)
        if root in program.into:
            place = program.into[root]
            reference.run([place], leaves, step)
            leaves[place][...] = leaves[root].reshape(place.shape)


def test_one_step_at_a_time_is_the_same_as_all_at_once(few):
    whole, pieces = trainer(few, network(RICH)), trainer(few, network(RICH))
    together = list(whole.run())
    apart = []
    while not pieces.is_over:
        apart += pieces.run(steps=1)
    assert apart == together
    assert pieces.weights_sha256() == whole.weights_sha256()


@pytest.mark.parametrize("cut", [1, 5, 6, 11])
def test_a_restored_run_ends_in_the_same_weights_and_metrics(cut, few):
    settings = network(RICH, divergent=0.3)
    whole = trainer(few, settings)
    points = list(whole.run())
    first = trainer(few, settings)
    seen = list(first.run(steps=cut))
    second = trainer(few, settings, variant="scalar")
    second.restore(first.checkpoint())
    assert second.step == cut
    assert seen + list(second.run()) == points
    assert second.weights_sha256() == whole.weights_sha256()
    assert second.checkpoint() == whole.checkpoint()


def test_runs_on_threads_beside_each_other_do_not_touch(few):
    alone = finished(trainer(few))
    found = []
    runs = [threading.Thread(target=lambda: found.append(finished(trainer(few)))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert found == [alone] * 4


def test_another_seed_trains_other_weights_from_the_same_data(few):
    assert finished(trainer(few, seed=7)) != finished(trainer(few, seed=8))
    assert finished(trainer(few, seed=2**64 - 1)) != finished(trainer(few, seed=2**32 - 1))


def test_the_seed_is_in_every_draw_and_no_two_share_a_purpose(few):
    """A layer's dropout and its gradient draw the same numbers; nothing else may."""
    seed = 5 * 2**32 + 9
    settings = network(RICH, divergent=0.3)
    plan = training_plan(settings, rows=203, validation_rows=70, seed=seed).plan
    draws = [i for program in plan.tape.programs for i in program if "purpose" in i.attributes]
    assert {(i.attributes["seed_low"], i.attributes["seed_high"]) for i in draws} == {(9, 5)}
    found = [(i.op, i.attributes["purpose"]) for i in draws]
    ops = {"uniform": 4, "shuffle": 1, "lateral": 1, "dropout": 2}
    assert {op: len({p for name, p in found if name == op}) for op in ops} == ops
    assert len({purpose for _, purpose in found}) == sum(ops.values())


def test_lateral_steps_change_the_run_and_still_learn(few):
    plain, lateral = trainer(few), trainer(few, network(divergent=1.0))
    assert finished(plain) != finished(lateral)
    off = trainer(few, network(divergent=0.0))
    assert finished(off) == plain.weights_sha256()


def test_divergence_is_named_with_its_step(few):
    run = trainer(few, network(optimizer="sgd", learning_rate=10.0, epochs=100))
    with pytest.raises(NonFinite, match="lower the learning rate") as caught:
        list(run.run())
    assert 0 < caught.value.step == run.step < run.steps_total


def test_the_step_after_which_it_diverges_does_not_depend_on_the_pace(few):
    steps = []
    for size in (1, 1_000):
        run = trainer(few, network(optimizer="sgd", learning_rate=10.0, epochs=100))
        with pytest.raises(NonFinite) as caught:
            while not run.is_over:
                list(run.run(steps=size))
        steps.append(caught.value.step)
    assert steps[0] == steps[1]


def test_bob_cancels_between_two_calls(few):
    run = trainer(few, network(epochs=1_000))
    list(run.run(on_progress=lambda step: step < 40))
    assert 40 <= run.step < run.steps_total


def test_a_chunk_ends_when_its_seconds_are_over(few):
    run = trainer(few, network(epochs=10_000))
    list(run.run(seconds=0.05))
    assert 0 < run.step < run.steps_total


def test_training_without_validation_rows_measures_none(few):
    bare = TrainingData(
        few.train_rows, few.train_targets, few.validation_rows[:0], few.validation_targets[:0]
    )
    points = list(trainer(bare).run())
    assert [point.validation_loss for point in points] == [None] * 3


def test_validation_is_the_mean_over_all_rows_in_blocks_and_rest(digits):
    """540 rows are two blocks of 256 and a rest of 28."""
    run = trainer(digits, network(epochs=1))
    point = list(run.run())[-1]
    weights = run.weights()
    mean = digits.train_rows.mean(axis=0, dtype=np.float64)
    scale = digits.train_rows.std(axis=0, dtype=np.float64)
    x = (digits.validation_rows - mean) / np.where(scale > 0, scale, 1)
    x = np.maximum(x @ weights["dense0.weight"] + weights["dense0.bias"], 0)
    logits = x @ weights["dense1.weight"] + weights["dense1.bias"]
    right = logits.argmax(axis=1) == digits.validation_targets
    logs = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(540), digits.validation_targets]
    assert point.validation_metric == right.mean()
    assert point.validation_loss == pytest.approx(logs.mean(), rel=1e-5)


def test_the_estimate_is_what_the_run_then_takes(few):
    settings = network(RICH)
    guess = estimate(settings, rows=203, validation_rows=70)
    run = trainer(few, settings)
    assert guess.steps == run.steps_total == 18
    assert guess.parameters == run.parameters == sum(a.size for a in run.weights().values())
    assert guess.memory_bytes - run.memory_bytes in (0, 65_536)
    forward_flops = 2 * 32 * (64 * 24 + 24 * 17 + 17 * 9 + 9 * 10)
    assert 2.5 * forward_flops < guess.flops_per_step < 6 * forward_flops


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_rows": np.zeros((0, 64), np.float32)}, "train_rows: there are none"),
        ({"train_rows": np.zeros((203, 63), np.float32)}, r"train_rows: must be \(203, 64\)"),
        ({"train_targets": np.zeros(202, np.int32)}, r"train_targets: must be \(203,\)"),
        ({"train_targets": np.full(203, 10, np.int32)}, "train_targets: must be from 0 to 9"),
        ({"validation_targets": np.full(70, -1, np.int32)}, "validation_targets: must be from 0"),
        ({"train_targets": np.zeros(203)}, "train_targets: must be whole numbers, not float64"),
        ({"train_rows": np.full((203, 64), np.nan, np.float32)}, "row 0 holds a number that is"),
    ],
)
def test_data_that_does_not_fit_is_refused_by_name(change, message, few):
    with pytest.raises(DataError, match=message):
        trainer(TrainingData(**(vars(few) | change)))


def test_a_checkpoint_of_another_run_is_refused(few):
    run = trainer(few)
    list(run.run(steps=3))
    blob = run.checkpoint()
    for other in (trainer(few, seed=8), trainer(few, network(RICH))):
        with pytest.raises(CheckpointRefused):
            other.restore(blob)
    arrays, texts = tensors.read(blob)
    for wrong in ("19", "-1", "3.0", "null"):
        stated = texts["checkpoint"].replace('"step": 3', f'"step": {wrong}')
        with pytest.raises(CheckpointRefused, match="step: must be from 0 to 18"):
            trainer(few).restore(tensors.write(arrays, {"checkpoint": stated}))
    arrays.pop("first_moment")
    with pytest.raises(CheckpointRefused, match="first_moment: must be there"):
        trainer(few).restore(tensors.write(arrays, texts))
    with pytest.raises(ModelRefused):
        trainer(few).restore(blob[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, stated: stated.pop("epochs"), "epochs: must be an object"),
        (lambda arrays, stated: stated["epochs"].update(factor="much"), "epochs.factor: must be"),
        (lambda arrays, stated: stated["epochs"].update(plateau=3), "epochs.plateau: must be a"),
        (lambda arrays, stated: arrays.update(best=np.zeros(3, "f4")), "best: must be there"),
        (lambda arrays, stated: arrays.pop("best"), "best: must be there"),
        (
            lambda arrays, stated: arrays.update(weights=arrays["weights"].astype("i1")),
            "weights: must be there, float32",
        ),
    ],
)
def test_a_checkpoint_that_is_refused_changes_nothing(change, message, few):
    settings = network(patience=50, epochs=20)
    run = trainer(few, settings)
    list(run.run(steps=20))
    arrays, texts = tensors.read(run.checkpoint())
    stated = json.loads(texts["checkpoint"])
    change(arrays, stated)
    other = trainer(few, settings)
    before = other.checkpoint()
    with pytest.raises(CheckpointRefused, match=message):
        other.restore(tensors.write(arrays, {"checkpoint": json.dumps(stated)}))
    assert other.checkpoint() == before


def test_progress_is_told_while_validation_rows_are_measured(digits):
    """Enough of them that measuring takes several calls; a pattern measures them six times."""
    rows = np.tile(digits.train_rows, (30, 1))
    labels = np.tile(digits.train_targets, 30)
    data = TrainingData(digits.train_rows[:64], digits.train_targets[:64], rows, labels)
    layers = [{"type": "dense", "units": 400, "activation": "gelu"}]
    settings = network(layers, pattern="quantum", divergent=0.5, epochs=1)
    told = []
    list(
        trainer(data, settings).run(on_progress=lambda step: told.append(time.monotonic()) or True)
    )
    gaps = np.diff(told)
    assert len(told) > 12
    assert gaps.max() < 1


def test_validation_is_cut_so_that_no_step_of_it_is_long():
    layers = [
        {"type": "embedding", "vocab_size": 50, "embed_dim": 128},
        *[{"type": "transformer_block", "heads": 4, "ff_dim": 512}] * 3,
    ]
    architecture = {"type": "transformer", "layers": layers}
    raw = network(batch_size=1).to_json() | {"architecture": architecture}
    shape = DataShape((128,), Target.CLASSES, 2, vocabulary=50)
    guess = estimate(config.parse(raw, shape), rows=10, validation_rows=500)
    assert guess.step_work < 5_000_000_000


def test_what_is_quoted_counts_the_validation_rows():
    plain, quantum = network(), network(divergent=0.5, pattern="quantum")
    without = estimate(plain, rows=203)
    assert without.flops == without.flops_per_step * without.steps
    once = estimate(plain, rows=203, validation_rows=70).flops - without.flops
    often = estimate(quantum, rows=203, validation_rows=70).flops - without.flops
    assert once > 0
    assert often == 6 * once


@pytest.mark.parametrize(
    ("shards", "most", "way_out"), [(1, 2**31 - 1, "batch$"), (16, 2**27 - 1, "or fewer shards$")]
)
def test_more_steps_than_can_be_counted_are_refused(shards, most, way_out):
    """Each shard of a step counts, since it has a number of its own."""
    settings = network(epochs=1, batch_size=16, shards=shards)
    training_plan(settings, rows=16 * most, validation_rows=0, seed=1)
    said = rf"training.epochs: makes .* steps, at most {most:,}; take fewer .*{way_out}"
    with pytest.raises(config.ConfigError, match=said):
        training_plan(settings, rows=16 * (most + 1), validation_rows=0, seed=1)


def test_a_step_that_could_not_be_stopped_in_time_is_refused():
    layers = [{"type": "dense", "units": 5_000}] * 3
    with pytest.raises(config.ConfigError, match="training.batch_size: makes a step of"):
        estimate(network(layers, batch_size=4_096), rows=10_000)
    assert estimate(network(layers, batch_size=64), rows=10_000).parameters > 50_000_000


def test_a_seed_that_does_not_fit_in_64_bits_is_refused(few):
    for seed in (-1, 2**64):
        with pytest.raises(DataError, match="seed"):
            trainer(few, seed=seed)


def test_memory_stays_within_its_limit_or_the_run_is_refused(few):
    guess = estimate(network(), rows=203, validation_rows=70)
    run = trainer(few, limits=Limits(memory_bytes=guess.memory_bytes))
    assert run.memory_bytes <= guess.memory_bytes

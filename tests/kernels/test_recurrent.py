"""Recurrent networks: the kernels where their blocks end."""

import numpy as np
import pytest

from kernels import config, reference
from kernels.compiler import Program, compile_programs
from kernels.data import DataShape, Target, TrainingData
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.ops import apply, part
from kernels.runtime import Sandbox
from kernels.trainer import Trainer
from tests.kernels.examples import EXAMPLES, Leaves


def run_parts(module, node, memory, count):
    """The first `count` values of a node."""
    values = [node, *(part(node, number) for number in range(1, count))]
    out = [leaf(f"out{number}", value.shape) for number, value in enumerate(values)]
    copies = [apply("copy", value) for value in values]
    plan = compile_programs({"main": Program(copies, dict(zip(copies, out, strict=True)))})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=64 * 2**20))
    for place, numbers in memory.items():
        sandbox.array(place)[...] = numbers
    sandbox.run("main", 0, 1)
    return values, [sandbox.array(place).copy() for place in out]


@pytest.mark.parametrize(("rows", "steps", "width"), [(5, 3, 65), (3, 2, 96), (37, 2, 161)])
@pytest.mark.parametrize("name", ["lstm", "lstm_gradient"])
def test_wide_states_are_what_the_plain_version_says(name, rows, steps, width, module):
    """Widths at which the sums are taken up again, and at which rows come in larger blocks."""
    leaves = Leaves(np.random.default_rng(3))
    node = EXAMPLES[name](leaves, rows, steps, width)
    values, found = run_parts(module, node, leaves.memory, 2 if name == "lstm" else 1)
    expected = dict(leaves.memory)
    reference.run(values, expected)
    for value, got in zip(values, found, strict=True):
        np.testing.assert_allclose(got, expected[value], rtol=0, atol=2e-6)
        if name == "lstm_gradient":
            np.testing.assert_array_equal(got, expected[value])


@pytest.mark.parametrize("width", [5, 32, 161])
def test_a_row_does_not_see_the_other_rows(width, module):
    rng, recurrent = np.random.default_rng(4), leaf("recurrent", (width, 4 * width))
    gates = rng.standard_normal((37, 4, 4 * width)).astype(np.float32)
    weights = (rng.standard_normal((width, 4 * width)) / width).astype(np.float32)
    together = hidden_states(module, gates, weights, recurrent)
    for row in (0, 3, 4, 31, 32, 36):
        alone = hidden_states(module, gates[row : row + 1], weights, recurrent)
        np.testing.assert_array_equal(alone[0], together[row])


def hidden_states(module, gates, weights, recurrent):
    x = leaf("x", gates.shape)
    node = apply("lstm", x, recurrent, attributes={"reverse": 0})
    return run_parts(module, node, {x: gates, recurrent: weights}, 1)[1][0]


# -------------------------------------------------------------------------------------- the layer


def lstm_config(*layers):
    training = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "optimizer": "adam"}
    return {"architecture": {"type": "lstm", "layers": list(layers)}, "training": training}


def sequences(rows, seed=1):
    """Is the sum of the first column positive? It is known after the last step alone."""
    values = np.random.default_rng(seed).standard_normal((rows, 12, 3)).astype(np.float32)
    return values, (values[:, :, 0].sum(axis=1) > 0).astype(np.int32)


@pytest.mark.parametrize(
    "layers",
    [
        [{"type": "lstm", "units": 8}],
        [{"type": "lstm", "params": {"units": 8, "bidirectional": True, "dropout": 0.1}}],
        [{"type": "lstm", "units": 8, "return_sequences": True}, {"type": "lstm", "units": 6}],
    ],
)
def test_an_lstm_learns_what_only_all_steps_together_tell(layers, simd):
    rows, targets = sequences(1_024)
    settings = config.parse(lstm_config(*layers), DataShape((12, 3), Target.CLASSES, 2))
    data = TrainingData(rows, targets, *sequences(256, seed=2))
    *_, last = Trainer(settings, data, seed=5, module=simd).run()
    assert last.validation_metric > 0.9


def test_each_step_of_a_sequence_may_be_asked_for_its_class(simd):
    """Has the sum up to this step, walked from either end, been positive?"""
    rows, _ = sequences(512)
    targets = (rows[:, :, 0].cumsum(axis=1) > 0).astype(np.int32)
    layer = {"type": "lstm", "units": 8, "return_sequences": True, "bidirectional": True}
    settings = config.parse(lstm_config(layer), DataShape((12, 3), Target.STEP_CLASSES, 2))
    data = TrainingData(rows, targets, rows[:0], targets[:0])
    first, *_, last = Trainer(settings, data, seed=5, module=simd).run()
    assert last.train_loss < 0.6 * first.train_loss


def test_the_forget_gate_starts_open(simd):
    settings = config.parse(
        lstm_config({"type": "lstm", "units": 5}), DataShape((12, 3), Target.CLASSES, 2)
    )
    rows, targets = sequences(64)
    trainer = Trainer(
        settings, TrainingData(rows, targets, rows[:0], targets[:0]), seed=1, module=simd
    )
    weights = trainer.weights()
    assert weights["lstm0.bias"].tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert 0 < np.abs(weights["lstm0.recurrent"]).max() <= 5**-0.5
    assert len(np.unique(weights["lstm0.recurrent"])) == 100


@pytest.mark.parametrize(
    ("shape", "vocabulary", "message"),
    [
        ((36,), 0, "not 36 values; put 'reshape' before it, or 'embedding'"),
        ((4, 3, 3), 0, r"put 'reshape' before it, to \(steps, width\)"),
    ],
)
def test_what_is_no_sequence_is_refused_with_the_way_out(shape, vocabulary, message):
    data = DataShape(shape, Target.CLASSES, 2, vocabulary)
    with pytest.raises(config.ConfigError, match=message):
        config.parse(lstm_config({"type": "lstm", "units": 5}), data)


def test_an_lstm_is_written_as_it_was_read():
    layer = {"type": "lstm", "units": 5, "bidirectional": True, "dropout": 0.25}
    data = DataShape((12, 3), Target.CLASSES, 2)
    settings = config.parse(lstm_config(layer), data)
    assert config.parse(settings.to_json(), data) == settings

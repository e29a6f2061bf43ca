"""Every kind of network: it learns, it repeats to the bit however it is cut, and it can be used."""

import numpy as np
import pytest

from kernels import config, modelfile
from kernels.build import module as built
from kernels.data import TrainingData
from kernels.modelfile import Signature
from kernels.predictor import Predictor
from kernels.trainer import DataError, Trainer
from tests.kernels.cases import (
    CASES,
    CLASSES,
    CODE,
    CURVED,
    DENSE,
    ITSELF,
    POINTS,
    ROWS,
    SIDED,
    SIDES,
    SUMMED,
    SUMS,
    TEXTS,
    VALUES,
    numbers,
    raw,
)


def trainer(name, variant="simd"):
    written, shape, data, _ = CASES[name]
    return Trainer(config.parse(written, shape), data, seed=7, module=built(variant))


@pytest.fixture(scope="module")
def trained():
    """Each case trained once, when it is asked for."""
    kept = {}

    def find(name):
        if name not in kept:
            run = trainer(name)
            kept[name] = run, list(run.run())
        return kept[name]

    return find


@pytest.mark.parametrize("name", CASES)
def test_it_learns(name, trained):
    _, points = trained(name)
    assert points[-1].train_loss < CASES[name][3] * points[0].train_loss
    assert points[-1].metric
    assert points[-1].validation_metric >= 0


@pytest.mark.parametrize("name", CASES)
def test_cut_restored_and_on_plain_floats_it_ends_in_the_same_bits(name, trained):
    run, points = trained(name)
    first = trainer(name, "scalar")
    seen = list(first.run(steps=11))
    second = trainer(name)
    second.restore(first.checkpoint())
    while not second.is_over:
        seen += second.run(steps=9)
    assert seen == points
    assert second.checkpoint() == run.checkpoint()


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_back_reads_as_the_same(name):
    written, shape, _, _ = CASES[name]
    parsed = config.parse(written, shape)
    assert config.parse(parsed.to_json(), shape).digest() == parsed.digest()


@pytest.mark.parametrize("name", CASES)
def test_it_answers_alone_as_in_company(name, trained, scalar):
    run, _ = trained(name)
    blob = run.export(Signature((), ()), {})
    assert modelfile.load(blob).config == run.config
    predictor = Predictor(blob, module=built("simd"))
    size = predictor.model.forward(1).inputs
    (given,) = size.values()
    rows = numbers(9, *given.shape[1:]) if given.dtype == "f4" else TEXTS[:9]
    together = predictor.outputs(rows)
    alone = [Predictor(blob, module=scalar).outputs(row[None]) for row in rows]
    for output, values in together.items():
        apart = np.concatenate([found[output] for found in alone])
        np.testing.assert_array_equal(values.view("u4"), apart.view("u4"), err_msg=output)


def test_values_come_in_the_unit_of_the_target(trained):
    run, _ = trained("values")
    found = Predictor(run.export(Signature((), ()), {}), module=built()).predict(POINTS[120:])
    off = np.abs(found - SUMS[120:]).mean(axis=0) / SUMS[:120].std(axis=0)
    assert off.mean() == pytest.approx(run.validate()[1], rel=1e-3)


def test_a_generator_makes_examples_of_the_data_s_size(trained):
    run, _ = trained("adversaries")
    predictor = Predictor(run.export(Signature((), ()), {}), module=built())
    made = predictor.outputs(numbers(500, 4))["examples"]
    assert made.shape == (500, 12)
    assert not any(name.startswith("discriminator") for name in predictor.model.arrays)
    assert np.abs(made.mean(axis=0) - CURVED.mean(axis=0)).max() < 4 * CURVED.std()


def test_a_code_is_as_narrow_as_it_was_asked_for(trained):
    for name in ("an autoencoder", "a variational autoencoder"):
        run, _ = trained(name)
        found = Predictor(run.export(Signature((), ()), {}), module=built()).outputs(CURVED)
        assert found["code"].shape == (ROWS, 2)
        assert found["reconstruction"].shape == (ROWS, 12)


@pytest.mark.parametrize("name", ["classes on four shards", "adversaries on shards"])
def test_any_number_of_threads_trains_the_same_bits(name, trained):
    written, shape, data, _ = CASES[name]
    run, points = trained(name)
    for threads in (2, 4):
        other = Trainer(config.parse(written, shape), data, seed=7, module=built(), threads=threads)
        assert list(other.run()) == points
        assert other.checkpoint() == run.checkpoint()


def test_more_shards_than_rows_are_refused():
    written = raw("feedforward", DENSE, shards=4, batch_size=8)
    few = TrainingData(POINTS[:3], SIDES[:3], POINTS[:0], SIDES[:0])
    with pytest.raises(config.ConfigError, match="training.shards: are more than the 3 rows"):
        Trainer(config.parse(written, CLASSES), few, seed=7, module=built())


def test_early_stopping_keeps_the_best_weights():
    written = raw("feedforward", DENSE, epochs=200, patience=3, learning_rate=0.1)
    run = Trainer(config.parse(written, CLASSES), SIDED, seed=7, module=built())
    points = list(run.run())
    losses = [point.validation_loss for point in points]
    assert len(points) < 200
    assert run.is_over
    assert losses.index(min(losses)) == len(losses) - 4
    best = Trainer(config.parse(written, CLASSES), SIDED, seed=7, module=built())
    list(best.run(steps=7 * (len(points) - 3)))
    last = best._machine.first.array(best._plan.weights.whole)
    np.testing.assert_array_equal(np.concatenate([w.ravel() for w in run.weights().values()]), last)


def test_who_wants_to_look_at_validation_rows_must_have_some():
    written = raw("feedforward", DENSE, patience=3)
    bare = TrainingData(POINTS, SIDES, POINTS[:0], SIDES[:0])
    with pytest.raises(DataError, match="validation_rows: there are none"):
        Trainer(config.parse(written, CLASSES), bare, seed=7, module=built())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_targets": SUMS[:120, :1]}, r"train_targets: must be \(120, 2\)"),
        ({"validation_targets": SUMS[120:] * np.nan}, "validation_targets: row 0 holds a number"),
    ],
)
def test_targets_that_do_not_fit_are_refused_by_name(change, message):
    parsed = config.parse(CASES["values"][0], VALUES)
    with pytest.raises(DataError, match=message):
        Trainer(parsed, TrainingData(**(vars(SUMMED) | change)), seed=7, module=built())


@pytest.mark.parametrize(
    ("written", "shape", "expected"),
    [
        (raw("gan", DENSE, loss="mse"), ITSELF, "training.loss: 'mse' is not known (known: bce)"),
        (
            raw("feedforward", DENSE, shards=3),
            CLASSES,
            "training.shards: must be one of 1, 2, 4, 8, 16, not 3",
        ),
        (
            raw("feedforward", DENSE, shards=4, batch_size=10),
            CLASSES,
            "training.batch_size: must be a multiple of shards, 4",
        ),
        (
            raw("feedforward", DENSE, weight_decay=0.1),
            CLASSES,
            "training.weight_decay: belongs to 'adamw', not to 'adam'",
        ),
        (
            raw("feedforward", DENSE, class_weights=[1, 2]),
            CLASSES,
            "training.class_weights: must be 3 numbers, one for each class, not 2",
        ),
        (
            raw("feedforward", DENSE, schedule={"kind": "cosin"}),
            CLASSES,
            "training.schedule.kind: 'cosin' is not known; did you mean 'cosine'? "
            "(known: constant, step, cosine, plateau)",
        ),
        (
            raw("feedforward", [{"type": "reshape", "shape": [2, 4]}]),
            CLASSES,
            "architecture.layers[0].type: 'reshape' makes 8 values of 6 values; the sizes must "
            "multiply to 6",
        ),
        (
            raw("feedforward", [*DENSE, {"type": "output", "size": 3}]),
            VALUES,
            "architecture.layers[1].size: must be 2, the values of the data, not 3",
        ),
        (
            raw("autoencoder", [{"type": "dropout", "rate": 0.1}]),
            ITSELF,
            "architecture.layers: needs data of numbers and a dense layer for its code",
        ),
        (
            raw("autoencoder", CODE, options={"latent": 3}),
            ITSELF,
            "architecture.latent: is not known here (known: type, layers, variational, noise, "
            "beta, decoder)",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_path(written, shape, expected):
    with pytest.raises(config.ConfigError) as caught:
        config.parse(written, shape)
    assert [str(problem) for problem in caught.value.problems] == [expected]

"""Every kind of network: it learns, it repeats to the bit however it is cut, and it can be used."""

import numpy as np
import pytest

from kernels import config, modelfile
from kernels.build import module as built
from kernels.data import DataShape, Target, TrainingData
from kernels.modelfile import Signature
from kernels.predictor import Predictor
from kernels.trainer import DataError, Trainer

RNG = np.random.default_rng(5)
ROWS = 160


def raw(kind, layers, divergent=None, **training):
    options = training.pop("options", {})
    found = {
        "architecture": {"type": kind, "layers": layers, **options},
        "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"}
        | training,
    }
    if divergent:
        found["divergent"] = {"enabled": True, "pattern": divergent, "factor": 0.4}
    return found


def split(rows, targets, rewards=None):
    def parts(values):
        return (values[:120], values[120:]) if values is not None else (None, None)

    (train, validation), (own, other) = parts(rows), parts(targets)
    return TrainingData(train, own, validation, other, *parts(rewards))


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


POINTS = numbers(ROWS, 6)
SIDES = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int32) + (POINTS[:, 2] > 1)
SUMS = np.stack([POINTS.sum(axis=1) * 40 + 7, POINTS[:, 0] * 3], axis=1).astype(np.float32)
CURVED = (POINTS[:, :2] @ numbers(2, 12) * 3 + 5).astype(np.float32)
NONE = np.zeros(ROWS, np.int32)
ACTIONS = RNG.integers(0, 3, ROWS).astype(np.int32)
EARNED = np.where(ACTIONS == SIDES % 3, 1, -1).astype(np.float32)

DENSE = [{"type": "dense", "units": 16, "activation": "tanh"}]
CLASSES = DataShape((6,), Target.CLASSES, 3)
VALUES = DataShape((6,), Target.VALUES, 2)
ITSELF = DataShape((12,), Target.CLASSES, 1)
ACTING = DataShape((6,), Target.ACTIONS, 3)
SIDED, SUMMED = split(POINTS, SIDES), split(POINTS, SUMS)
SELF, ACTED = split(CURVED, NONE), split(POINTS, ACTIONS, EARNED)
CODE = [{"type": "dense", "units": 16}, {"type": "dense", "units": 2, "activation": "linear"}]

# sequences of 7 steps of 2 numbers, and pictures of 6 x 7 pixels of 2 channels
WAVES = numbers(ROWS, 7, 2)
RISES = (WAVES[:, :, 0].sum(axis=1) > 0).astype(np.int32)
SIGNS = (np.cumsum(WAVES[:, :, 0], axis=1) > 0).astype(np.int32)
LAST = (WAVES[:, -1] * 2 + WAVES[:, -2]).astype(np.float32)
PICTURES = numbers(ROWS, 6, 7, 2)
SPOTS = (PICTURES[:, 1:4, 1:4, 0].sum(axis=(1, 2)) > 0).astype(np.int32)
PICTURES[:, 1:4, 1:4, 0] += SPOTS[:, None, None]
WAVE = DataShape((7, 2), Target.CLASSES, 2)
STEPS = DataShape((7, 2), Target.STEP_CLASSES, 2)
FORECAST = DataShape((7, 2), Target.VALUES, 2)
PICTURE = DataShape((6, 7, 2), Target.CLASSES, 2)
LSTM = {"type": "lstm", "units": 9}
BOTH_WAYS = LSTM | {"return_sequences": True, "bidirectional": True}
EYES = [
    {"type": "conv2d", "filters": 5, "kernel_size": 3, "padding": "same"},
    {"type": "maxpool2d", "pool_size": 2},
    {"type": "conv2d", "filters": 6, "kernel_size": 2, "activation": "gelu"},
]

# texts of 8 tokens out of 11: the class is whether there is a 3; each other token follows its left
TEXTS = RNG.integers(0, 11, (ROWS, 8))
TEXTS[:, 1::2] = (TEXTS[:, ::2] * 3 + 1) % 11
HAS_THREE = (TEXTS == 3).any(axis=1).astype(np.int32)
FOLLOWING = np.concatenate([TEXTS[:, 1:], TEXTS[:, :1]], axis=1)
TEXT = DataShape((8,), Target.CLASSES, 2, vocabulary=11)
NEXT = DataShape((8,), Target.NEXT, 11, vocabulary=11)
WORDS = [{"type": "embedding", "vocab_size": 11, "embed_dim": 12}]
BLOCK = {"type": "transformer_block", "heads": 3, "ff_dim": 20, "dropout": 0.1}

# name → configuration, what the data are, the data, how much smaller the loss becomes
CASES = {
    "classes": (raw("feedforward", DENSE), CLASSES, SIDED, 0.9),
    "smoothed and weighed classes": (
        raw("feedforward", DENSE, label_smoothing=0.1, class_weights=[1, 2, 0.5]),
        CLASSES,
        SIDED,
        0.95,
    ),
    "values": (raw("feedforward", DENSE), VALUES, SUMMED, 0.3),
    "values by mae": (raw("feedforward", DENSE, loss="mae"), VALUES, SUMMED, 0.6),
    "values by huber": (raw("feedforward", DENSE, loss="huber", delta=0.5), VALUES, SUMMED, 0.5),
    "a quantile": (raw("feedforward", DENSE, loss="quantile", quantile=0.9), VALUES, SUMMED, 0.6),
    "marks": (
        raw("feedforward", DENSE),
        DataShape((6,), Target.MARKS, 3),
        split(POINTS, (POINTS[:, :3] > 0).astype(np.float32)),
        0.7,
    ),
    "an autoencoder": (raw("autoencoder", CODE), ITSELF, SELF, 0.8),
    "a denoising autoencoder": (
        raw("autoencoder", CODE, options={"noise": 0.2}),
        ITSELF,
        SELF,
        0.9,
    ),
    "a variational autoencoder": (
        raw("autoencoder", CODE, options={"variational": True, "beta": 0.1}),
        ITSELF,
        SELF,
        0.95,
    ),
    "adversaries": (raw("gan", DENSE, options={"latent": 4}), ITSELF, SELF, 1.5),
    "a policy": (raw("feedforward", DENSE, loss="reinforce"), ACTING, ACTED, 1.0),
    "action values": (raw("feedforward", DENSE, loss="dqn"), ACTING, ACTED, 0.9),
    "all that cuts and regularises": (
        raw(
            "feedforward",
            [*DENSE, {"type": "dropout", "rate": 0.1}],
            optimizer="adamw",
            weight_decay=0.01,
            l1=1e-4,
            l2=1e-3,
            clip_norm=1.0,
            clip_value=0.5,
            schedule={"kind": "cosine", "warmup_steps": 5},
        ),
        CLASSES,
        SIDED,
        0.98,
    ),
    "chaotic steps": (raw("feedforward", DENSE, divergent="chaotic"), CLASSES, SIDED, 0.9),
    "nesterov on a plateau": (
        raw(
            "feedforward",
            DENSE,
            optimizer="sgd",
            momentum=0.9,
            nesterov=True,
            schedule={"kind": "plateau", "patience": 1, "factor": 0.5},
        ),
        CLASSES,
        SIDED,
        0.95,
    ),
    "rmsprop by steps": (
        raw(
            "feedforward", DENSE, optimizer="rmsprop", schedule={"kind": "step", "every_epochs": 2}
        ),
        CLASSES,
        SIDED,
        0.95,
    ),
    "adversaries on shards": (
        raw("gan", DENSE, options={"latent": 4}, shards=2),
        ITSELF,
        SELF,
        1.5,
    ),
    "classes on four shards": (
        raw("feedforward", [*DENSE, {"type": "dropout", "rate": 0.1}], shards=4),
        CLASSES,
        SIDED,
        0.9,
    ),
    "an lstm to one": (raw("lstm", [LSTM]), WAVE, split(WAVES, RISES), 0.9),
    "an lstm to each step": (
        raw("lstm", [BOTH_WAYS | {"dropout": 0.1}, LSTM | {"return_sequences": True}]),
        STEPS,
        split(WAVES, SIGNS),
        0.9,
    ),
    "an lstm that foretells": (
        raw("lstm", [BOTH_WAYS, LSTM], loss="huber"),
        FORECAST,
        split(WAVES, LAST),
        0.7,
    ),
    "pictures": (raw("feedforward", EYES), PICTURE, split(PICTURES, SPOTS), 0.9),
    "pictures averaged": (
        raw("feedforward", [*EYES, {"type": "global_average_pooling"}]),
        PICTURE,
        split(PICTURES, SPOTS),
        0.99,
    ),
    "an autoencoder of pictures": (
        raw("autoencoder", [*EYES[:1], {"type": "flatten"}, *CODE]),
        DataShape((6, 7, 2), Target.CLASSES, 1),
        split(PICTURES, NONE),
        0.99,
    ),
    "a transformer": (
        raw("transformer", [*WORDS, BLOCK]),
        TEXT,
        split(TEXTS, HAS_THREE),
        0.95,
    ),
    "a transformer that writes": (
        raw("transformer", [*WORDS, BLOCK]),
        NEXT,
        split(TEXTS, FOLLOWING),
        0.9,
    ),
    "an lstm that writes": (
        raw("lstm", [*WORDS, LSTM | {"return_sequences": True}]),
        NEXT,
        split(TEXTS, FOLLOWING),
        0.95,
    ),
    "adagrad": (raw("feedforward", DENSE, optimizer="adagrad"), CLASSES, SIDED, 0.98),
}


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

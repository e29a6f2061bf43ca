"""Training with each divergent pattern, and with batches that grow: it learns, and it repeats."""

import numpy as np
import pytest

from kernels import config
from kernels.checkpoints import CheckpointRefused
from kernels.config import ConfigError
from kernels.data import DataError, DataShape, Target, TrainingData
from kernels.patterns import EPOCH_ENDS
from kernels.settings import PATTERNS
from kernels.trainer import Trainer


def settings(pattern=None, factor=0.5, data=None, kind="feedforward", **training):
    raw = {
        "architecture": {"type": kind, "layers": [{"type": "dense", "units": 16}]},
        "training": {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 0.005,
            "optimizer": "adam",
            **training,
        },
    }
    if pattern is not None:
        raw["divergent"] = {"enabled": True, "pattern": pattern, "factor": factor}
    return config.parse(raw, data or DataShape.table(64, 10))


@pytest.fixture(scope="module")
def few(digits):
    return TrainingData(
        digits.train_rows[:320],
        digits.train_targets[:320],
        digits.validation_rows[:100],
        digits.validation_targets[:100],
    )


def finished(config, data, module, seed=7):
    trainer = Trainer(config, data, seed=seed, module=module)
    return trainer, list(trainer.run())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_learns_and_leads_elsewhere_than_the_plain_run(pattern, few, simd):
    plain, _ = finished(settings(), few, simd)
    trainer, points = finished(settings(pattern), few, simd)
    assert points[-1].validation_metric > 0.7
    assert trainer.weights_sha256() != plain.weights_sha256()
    again, _ = finished(settings(pattern, factor=0.4), few, simd)
    assert again.weights_sha256() != trainer.weights_sha256()


@pytest.mark.parametrize("pattern", ["lateral", "quantum", "chaotic"])
def test_a_factor_of_zero_is_the_plain_run(pattern, few, simd):
    plain, _ = finished(settings(), few, simd)
    trainer, _ = finished(settings(pattern, factor=0.0), few, simd)
    assert trainer.weights_sha256() == plain.weights_sha256()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_restored_run_explores_as_it_would_have(pattern, few, simd, scalar):
    """Cut in the middle of an epoch, restored, and finished by the module without vectors."""
    whole, points = finished(settings(pattern), few, simd)
    first = Trainer(settings(pattern), few, seed=7, module=simd)
    list(first.run(steps=33))
    rest = Trainer(settings(pattern), few, seed=7, module=scalar)
    rest.restore(first.checkpoint())
    assert list(rest.run()) == points[1:]
    assert rest.weights_sha256() == whole.weights_sha256()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_exploration_does_not_depend_on_threads(pattern, few, simd):
    """Four shards of a batch, on one thread and on two, cut and uncut."""
    found = settings(pattern, shards=4, dynamic_batch=4, epochs=3)
    one = Trainer(found, few, seed=7, module=simd, threads=1)
    list(one.run())
    cut = Trainer(found, few, seed=7, module=simd, threads=2)
    list(cut.run(steps=25))
    two = Trainer(found, few, seed=7, module=simd, threads=2)
    two.restore(cut.checkpoint())
    list(two.run())
    assert two.weights_sha256() == one.weights_sha256()


def test_evolution_ends_with_its_best_epoch(few, simd):
    trainer, points = finished(settings("evolutionary", epochs=8), few, simd)
    assert points[-1].validation_loss == min(point.validation_loss for point in points)
    assert len({point.learning_rate for point in points}) > 1


def test_a_checkpoint_without_the_population_is_refused(few, simd):
    from_plain = Trainer(settings(), few, seed=7, module=simd).checkpoint()
    trainer = Trainer(settings("evolutionary"), few, seed=7, module=simd)
    with pytest.raises(CheckpointRefused, match="config_sha256"):
        trainer.restore(from_plain)


@pytest.mark.parametrize("pattern", EPOCH_ENDS)
def test_what_looks_at_validation_rows_wants_some(pattern, few, simd):
    none = TrainingData(
        few.train_rows, few.train_targets, few.validation_rows[:0], few.validation_targets[:0]
    )
    with pytest.raises(DataError, match="validation_rows: there are none"):
        Trainer(settings(pattern), none, seed=7, module=simd)


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        (DataShape((8,), Target.NEXT, 50, vocabulary=50), {}, "and tokens cannot be mixed"),
        (DataShape((4,), Target.ACTIONS, 3), {}, "and actions cannot be mixed"),
        (None, {"class_weights": [1.0] * 10}, "training.class_weights: a mixed example has"),
    ],
)
def test_what_cannot_be_mixed_is_refused_by_name(data, more, message):
    with pytest.raises(ConfigError, match=message):
        settings("associative", data=data, **more)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"divergent": "quantum"}, "'quantum' chooses by the validation loss, and a gan's two"),
        ({"divergent": "associative"}, "and a gan has no targets to mix; take 'lateral'"),
        ({"dynamic_batch": 4}, "training.dynamic_batch: a gan's two networks move in turn"),
    ],
)
def test_what_two_networks_cannot_do_is_refused_by_name(change, message):
    layers = [{"type": "dense", "units": 8}]
    raw = {
        "architecture": {"type": "gan", "latent": 4, "layers": layers, "discriminator": layers},
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"},
        "divergent": {"enabled": "divergent" in change, "factor": 0.5, "pattern": "lateral"},
    }
    config.parse(raw, DataShape.table(8, 2))
    raw["divergent"]["pattern"] = change.pop("divergent", "lateral")
    raw["training"] |= change
    with pytest.raises(ConfigError, match=message):
        config.parse(raw, DataShape.table(8, 2))


def test_values_are_mixed_too_and_smoothed_classes(few, simd):
    rows = few.train_rows[:, :8]
    values = TrainingData(
        rows,
        few.train_rows[:, 30:31],
        few.validation_rows[:, :8],
        few.validation_rows[:, 30:31],
    )
    shape = DataShape((8,), Target.VALUES, 1)
    found = settings("associative", data=shape, loss="mse")
    _, points = finished(found, values, simd)
    assert points[-1].validation_loss < points[0].validation_loss
    _, points = finished(settings("associative", label_smoothing=0.1), few, simd)
    assert points[-1].validation_metric > 0.7


# ----------------------------------------------------------------------------- batches that grow


def test_noisy_gradients_let_the_batch_grow(few, simd):
    """Labels without sense: soon nothing but noise is left of the gradient."""
    rng = np.random.default_rng(1)
    senseless = TrainingData(
        few.train_rows,
        rng.integers(0, 10, 320).astype(np.int32),
        few.validation_rows,
        few.validation_targets,
    )
    found = settings(dynamic_batch=8, epochs=6, learning_rate=0.0001)
    trainer, _ = finished(found, senseless, simd)
    every = trainer.sandbox.array(trainer._plan.moves.every)
    assert every[0] > 1


def test_a_run_with_growing_batches_repeats_to_the_bit(few, simd, scalar):
    found = settings(dynamic_batch=8, clip_norm=0.5, l2=0.001)
    whole, points = finished(found, few, simd)
    assert points[-1].validation_metric > 0.5
    first = Trainer(found, few, seed=7, module=simd)
    list(first.run(steps=45))
    rest = Trainer(found, few, seed=7, module=scalar)
    rest.restore(first.checkpoint())
    list(rest.run())
    assert rest.weights_sha256() == whole.weights_sha256()

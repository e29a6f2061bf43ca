"""Rows that are played and not given: a run goes on with others where an epoch ends."""

import numpy as np
import pytest

from kernels import config as configuration
from kernels.data import DataError, DataShape, Target, TrainingData
from kernels.trainer import Trainer

SHAPE = DataShape((3,), Target.ACTIONS, 2)
CONFIG = configuration.parse(
    {
        "architecture": {
            "type": "feedforward",
            "layers": [{"type": "dense", "units": 5, "activation": "tanh"}],
        },
        "training": {"epochs": 4, "batch_size": 6, "learning_rate": 0.01, "optimizer": "adam"},
    },
    SHAPE,
)


def played(number, rows=20):
    """Rows of an iteration, none alike."""
    rng = np.random.default_rng(number)
    seen = rng.standard_normal((rows, 3)).astype(np.float32)
    return TrainingData(
        train_rows=seen,
        train_targets=rng.integers(0, 2, rows).astype(np.uint32),
        validation_rows=seen[:0],
        validation_targets=np.zeros(0, np.uint32),
        train_rewards=rng.standard_normal(rows).astype(np.float32),
        validation_rewards=np.zeros(0, np.float32),
    )


def begun(module):
    return Trainer(CONFIG, played(0), seed=3, module=module)


def one_epoch(run, number):
    run.replace_rows(played(number))
    return list(run.run(steps=run.steps_per_epoch))


def test_a_run_on_other_rows_each_epoch_is_the_same_straight_and_restored(module):
    straight = begun(module)
    points = [one_epoch(straight, number)[0] for number in range(4)]
    assert straight.is_over
    cut = begun(module)
    for number in range(4):
        (point,) = one_epoch(cut, number)
        assert point == points[number]
        following = begun(module)
        following.restore(cut.checkpoint())
        cut = following
    assert cut.weights_sha256() == straight.weights_sha256()


def test_the_rows_that_came_last_are_those_that_teach(simd):
    replaced, kept = begun(simd), begun(simd)
    for run in (replaced, kept):
        one_epoch(run, 1)
    assert replaced.weights_sha256() == kept.weights_sha256()
    one_epoch(replaced, 2)
    list(kept.run(steps=kept.steps_per_epoch))
    assert replaced.weights_sha256() != kept.weights_sha256()
    assert replaced.data_sha256 == kept.data_sha256


def test_rows_are_standardised_by_those_the_run_began_with(simd):
    run = begun(simd)
    before = run._measured()
    kept = {name: run._machine.read(node) for name, node in before.items()}
    one_epoch(run, 7)
    for name, node in before.items():
        assert np.array_equal(run._machine.read(node), kept[name])
        assert kept[name].any()


@pytest.mark.parametrize(
    ("rows", "steps", "said"),
    [
        (played(1, rows=19), 0, "train_rows: must be 20 rows as before, not 19"),
        (played(1), 2, "rows can be replaced where an epoch ends, not at step 2"),
    ],
)
def test_other_rows_are_refused_where_they_do_not_fit(simd, rows, steps, said):
    run = begun(simd)
    list(run.run(steps=steps))
    before = run.checkpoint()
    with pytest.raises(DataError, match=said):
        run.replace_rows(rows)
    assert run.checkpoint() == before

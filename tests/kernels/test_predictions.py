"""Use of a trained model: what it answers, to whom it says no, and that it always says the same."""

import hashlib

import numpy as np
import pytest

from kernels import build, config, modelfile, tensors
from kernels.data import DataShape, TrainingData
from kernels.limits import DeadlineExceeded, Limits, OutOfMemory
from kernels.modelfile import Signature
from kernels.predictor import Predictor, RowsRefused
from kernels.tensors import ModelRefused
from kernels.trainer import NonFinite, Trainer

SIGNATURE = Signature(
    tuple(f"pixel_{number}" for number in range(64)), tuple("0123456789"), image_shape=(8, 8)
)


@pytest.fixture(scope="module")
def trained(digits):
    """A model of the digits, trained for ten epochs."""
    raw = {
        "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 64}]},
        "training": {"epochs": 10, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
    }
    settings = config.parse(raw, DataShape.table(64, 10))
    trainer = Trainer(settings, digits, seed=3, module=build.module())
    points = list(trainer.run())
    return trainer, points, trainer.export(SIGNATURE, {"dataset": "digits"})


def test_predictions_are_as_good_as_training_said(trained, digits, module):
    _, points, blob = trained
    found = Predictor(blob, module=module).predict(digits.validation_rows)
    assert found.shape == (540, 10)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    right = (found.argmax(axis=1) == digits.validation_targets).mean()
    assert right == points[-1].validation_metric > 0.95


def test_a_row_is_answered_alike_alone_and_in_company(trained, digits, simd, scalar):
    """1,300 rows are more than the sandbox holds at once, and no multiple of a block."""
    _, _, blob = trained
    rows = np.concatenate([digits.validation_rows, digits.train_rows])[:1_300]
    first, second = (Predictor(blob, module=m) for m in (simd, scalar))
    together = first.predict(rows)
    alone = np.concatenate([second.predict(row[None]) for row in rows])
    np.testing.assert_array_equal(together.view(np.uint32), alone.view(np.uint32))


def test_the_model_file_tells_where_it_comes_from(trained):
    trainer, _, blob = trained
    found = modelfile.load(blob)
    assert found.signature == SIGNATURE
    assert found.provenance["weights_sha256"] == trainer.weights_sha256()
    assert found.provenance["weights_sha256"] == modelfile.weights_sha256(found.weights)
    assert found.provenance["kernel_hash"] == build.module().kernel_hash
    assert found.provenance["dataset"] == "digits"
    assert found.provenance["seed"] == 3
    again = trainer.export(SIGNATURE, {"dataset": "digits"})
    assert hashlib.sha256(again).digest() == hashlib.sha256(blob).digest()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(64), r"rows: must be \(n, 64\), not \(64,\)"),
        (np.zeros((2, 63)), r"rows: must be \(n, 64\), not \(2, 63\)"),
        (np.zeros(0), r"rows: must be \(n, 64\), not \(0,\)"),
        (np.zeros((0, 2, 3)), r"rows: must be \(n, 64\), not \(0, 2, 3\)"),
        (np.array(1.0), r"rows: must be \(n, 64\), not \(\)"),
        (np.full((3, 64), np.inf), "row 0: holds a number that is not finite"),
        (np.array([[0.0] * 64, [1e300] * 64]), "row 1: holds a number that is not finite"),
        (np.full((1, 64), 3e38), "row 0: its numbers are so large"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, message, trained, simd):
    with pytest.raises(RowsRefused, match=message):
        Predictor(trained[2], module=simd).predict(rows)


def test_wide_rows_go_in_by_smaller_parts(simd):
    """Of 9,000 columns fewer rows fit at once than are given."""
    raw = {
        "architecture": {"type": "feedforward", "layers": [{"type": "output", "size": 2}]},
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "optimizer": "sgd"},
    }
    settings = config.parse(raw, DataShape.table(9_000, 2))
    rows = np.random.default_rng(1).standard_normal((250, 9_000)).astype(np.float32)
    data = TrainingData(rows[:16], np.arange(16) % 2, rows[:0], np.arange(0))
    trainer = Trainer(settings, data, seed=1, module=simd)
    names = Signature(tuple(map(str, range(9_000))), ("a", "b"))
    predictor = Predictor(trainer.export(names, {}), module=simd)
    assert predictor.peak_memory_bytes < 32 * 2**20
    together = predictor.predict(rows)
    alone = np.concatenate([predictor.predict(row[None]) for row in rows[::50]])
    np.testing.assert_array_equal(together[::50], alone)


def test_no_rows_have_no_answers(trained, simd):
    for shape in ((0, 64), (0, 8, 8)):
        assert Predictor(trained[2], module=simd).predict(np.zeros(shape)).shape == (0, 10)


def test_memory_is_measured_and_bounded(trained, simd):
    predictor = Predictor(trained[2], module=simd)
    assert 4 * trained[0].parameters < predictor.peak_memory_bytes < 2**20
    with pytest.raises(OutOfMemory):
        Predictor(trained[2], module=simd, limits=Limits(memory_bytes=2**17))


def test_time_is_bounded(trained, simd, digits):
    predictor = Predictor(trained[2], module=simd, limits=Limits(deadline_seconds=0.001))
    with pytest.raises(DeadlineExceeded):
        while True:
            predictor.predict(digits.train_rows)


def test_a_file_that_is_no_model_is_refused(trained, simd):
    for blob in (b"", trained[0].checkpoint(), trained[2][:-4]):
        with pytest.raises(ModelRefused):
            Predictor(blob, module=simd)


def test_weights_that_are_no_numbers_are_not_exported(trained, digits):
    arrays, texts = tensors.read(trained[0].checkpoint())
    arrays["weights"][5] = np.nan
    trainer = Trainer(trained[0].config, digits, seed=3, module=build.module())
    trainer.restore(tensors.write(arrays, texts))
    with pytest.raises(NonFinite, match="a weight is not a finite number at step 390"):
        trainer.export(SIGNATURE, {})

"""What a validation measures, and who may ask for one."""

import numpy as np
import pytest

from kernels import build
from kernels.predictor import Predictor
from tests.training.test_finetuning import begun, brought
from training import services as training
from training.models import Validation, Work
from training.runner import blobs, validations
from training.runner.figures import Figure
from training.runner.rows import Part, unpack

pytestmark = pytest.mark.usefixtures("shared_training")


def test_a_model_is_measured_on_rows_no_training_read(model, digits):
    validation = model.validations.get()
    assert validation.status == Work.Status.DONE
    test = unpack(blobs.get(digits.sha256)).only(Part.TEST)
    guesses = Predictor(blobs.get(model.sha256), module=build.module()).predict(test.features)
    right = int((guesses.argmax(axis=1) == test.targets).sum())
    assert validation.rows == digits.test_rows == 270
    assert validation.accuracy == right / 270
    confusion = np.array(validation.report["confusion"])
    assert confusion.sum() == 270
    assert np.trace(confusion) == right
    low, high = validation.report["accuracy_interval"]
    assert low < validation.accuracy < high
    assert validation.accuracy > validation.report["baseline_accuracy"] + 0.5


def test_latency_is_of_calls_that_were_made(model):
    validation = model.validations.get()
    assert 0 < validation.latency_p50_ms <= validation.latency_p95_ms <= validation.latency_p99_ms
    assert validation.samples_per_second > 0
    assert validation.peak_memory_mb > 0
    assert validation.model_size_mb == model.size_bytes / 1e6
    assert sum(validation.report["histogram"]["calls"]) > 1_900
    assert validation.report["environment"]["kernel_hash"] == model.kernel_hash


def test_the_time_of_a_call_is_divided_among_its_layers(model, client, alice):
    validation = model.validations.get()
    assert list(validation.time_by_layer) == ["input", "dense0", "dense1"]
    assert sum(validation.time_by_layer.values()) == pytest.approx(
        sum(validation.time_by_op.values())
    )
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "Where the time goes, by layer" in page


def test_mallory_cannot_have_a_model_of_alice_measured(model, mallory):
    with pytest.raises(training.NotOwner):
        training.validate_model(actor=mallory, model=model)


def test_asking_twice_waits_for_the_same_validation(model, alice):
    first = training.validate_model(actor=alice, model=model)
    assert training.validate_model(actor=alice, model=model) == first
    validations.validate_model(str(first.pk))
    validations.validate_model(str(first.pk))
    assert Validation.objects.filter(model=model, status=Work.Status.DONE).count() == 2


def test_a_full_validation_scans_the_file_and_asks_the_model_elsewhere(model):
    report = model.validations.get().report
    assert report["scan"]["state"] == "clean"
    assert report["scan"]["sha256"] == model.sha256
    found = {one["where"]: one["state"] for one in report["compatibility"]["runtimes"]}
    assert found["wasmtime"] == found["Scalar module"] == "identical"
    assert report["compatibility"]["state"] == "passed"


def test_a_figure_of_zero_is_a_figure():
    figure = Figure(value=0.0, low=0.0, high=0.5, baseline=0.0)
    assert figure.to_json() == {"value": 0.0, "low": 0.0, "high": 0.5, "baseline": 0.0}


@pytest.mark.usefixtures("in_this_process")
def test_rows_on_which_a_network_overflows_end_its_validation_with_their_number(alice):
    """No training reads the last rows, and these are beyond what its numbers hold."""
    small = [f"{row / 1e6},{row % 17 / 1e6},{'ab'[row % 2]}" for row in range(100)]
    large = [f"3e38,3e38,{'ab'[row % 2]}" for row in range(25)]
    content = "\n".join(["length,width,kind", *small, *large]).encode()
    dataset = brought(alice, content=content, kind="time")
    validation = begun(alice, dataset).validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert (validation.status, validation.error_code) == (Work.Status.FAILED, "rows_refused")
    assert "its numbers are so large that the network overflows" in validation.error_message

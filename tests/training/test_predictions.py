"""What may be asked of a model, and what it answers."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from governance.services import Refusal
from kernels import modelfile
from training import services as training
from training.models import Work
from training.runner import blobs, networks, tiers, validations, walls

pytestmark = pytest.mark.usefixtures("shared_training")


@pytest.fixture
def model(trained):
    """Nothing here reads a figure of it."""
    return trained


def test_a_model_names_the_digit_and_how_sure_it_is(model, digits):
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    answer = training.predict(model=model, rows=[row.values])[0]
    assert answer.label == row.label
    assert answer.confidence == max(answer.probabilities.values())
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_row_is_answered_the_same_alone_and_among_others(model, digits):
    rows = [row.values for row in training.preview_rows(dataset=digits, count=40)]
    together = training.predict(model=model, rows=rows)
    assert [training.predict(model=model, rows=[row])[0] for row in rows] == together


def test_numbers_are_the_same_however_they_are_written(model, digits):
    rows = [list(row.values) for row in training.preview_rows(dataset=digits, count=3)]
    expected = training.predict(model=model, rows=rows)
    for write in (int, str):
        assert training.predict(model=model, rows=[list(map(write, row)) for row in rows]) == (
            expected
        )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "must be 64 values"),
        ([[1.0] * 63], r"input_data\[0\]: must be 64 values \(pixel_0_0, .*, …\), not 63 values"),
        ([[1.0] * 63 + ["x"]], r"input_data\[0\].pixel_7_7: must be a number, not 'x'"),
        ([[1.0] * 63 + [True]], r"input_data\[0\].pixel_7_7: must be a number, not true"),
        ([[1.0] * 63 + ["x" * 10**6]], r"must be a number, not 'x{40}'"),
        ([[1.0] * 63 + [float("nan")]], "must be finite"),
        ([[1.0] * 63 + [1e300]], "must be finite"),
        ([[1.0] * 63 + [10**400]], r"input_data\[0\].pixel_7_7: must be finite"),
        ([[1.0] * 64] * 1001, "1001 rows; send 1 to 1000"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_the_reason(model, rows, reason):
    with pytest.raises(training.InvalidRows, match=reason):
        training.predict(model=model, rows=rows)


def test_what_the_largest_tier_trains_can_also_be_asked():
    largest = max(limits.memory_bytes for limits in tiers.TIERS.values())
    assert walls.PREDICTION.memory_bytes >= largest


def test_a_model_whose_sandbox_failed_answers_again(model, digits, monkeypatch):
    row = training.preview_rows(dataset=digits, count=1)[0]
    networks.READY.drop(model.sha256)
    spent = dataclasses.replace(walls.PREDICTION, deadline_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(walls, "PREDICTION", spent)
        with pytest.raises(Refusal, match="could not answer"):
            training.predict(model=model, rows=[row.values])
    assert training.predict(model=model, rows=[row.values])[0].label == row.label


def at_once(act, count=8):
    """What `act` returned to each of many who called it at the same moment."""
    together = threading.Barrier(count)

    def wait_and_act(_):
        together.wait()
        return act()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(wait_and_act, range(count)))


def test_a_network_that_many_ask_for_at_once_is_loaded_once(model):
    shelf = networks.Shelf(models_max=2, memory_bytes_max=2**30)
    found = at_once(lambda: shelf.take(model.sha256))
    assert len({id(network) for network in found}) == 1
    assert not shelf.loading


def test_networks_make_room_for_those_that_are_used(model):
    one = networks.ReadyModel(model.sha256).memory_bytes
    copies = other_files(model, 3)
    for bounds in (
        {"models_max": 2, "memory_bytes_max": 10 * one},
        {"models_max": 9, "memory_bytes_max": 2 * one},
    ):
        shelf = networks.Shelf(**bounds)
        for sha256 in (copies[0], copies[1], copies[0], copies[2]):
            shelf.take(sha256)
        assert list(shelf.networks) == [copies[0], copies[2]]
    tight = networks.Shelf(models_max=9, memory_bytes_max=1)
    assert tight.take(copies[0]) is tight.take(copies[0])  # the newest stays, however large


def other_files(model, count):
    """The same network in other files: their provenance differs."""
    loaded = modelfile.load(blobs.get(model.sha256))
    return [
        blobs.put(
            modelfile.dump(
                dataclasses.replace(loaded, provenance=loaded.provenance | {"copy": number})
            )
        )
        for number in range(count)
    ]


def test_a_model_whose_file_is_lost_says_so(model, alice):
    networks.READY.drop(model.sha256)
    content = blobs.get(model.sha256)
    blobs.delete(model.sha256)
    try:
        with pytest.raises(training.FileUnreadable, match="Nothing was charged"):
            training.predict(model=model, rows=[[0.0] * 64])
        validation = training.validate_model(actor=alice, model=model)
        validations.validate_model(str(validation.pk))
    finally:
        blobs.put(content)
    validation.refresh_from_db()
    assert (validation.status, validation.error_code) == (Work.Status.FAILED, "blob_missing")
    assert training.predict(model=model, rows=[[0.0] * 64])


def test_a_file_that_is_no_model_says_so(model):
    with pytest.raises(training.FileUnreadable):
        training.predict_with_file(sha256=blobs.put(b"no model"), rows=[[0.0] * 64])

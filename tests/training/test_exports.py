"""alice has her model's files made, and takes them home."""

import pytest
from django.db import connection

from kernels import modelfile
from kernels.exchange import wasm
from tests.training.outages import disk_is_slow
from training import services as training
from training.models import Export, Work
from training.runner import blobs, exports


@pytest.fixture
def model(trained):
    """Nothing here reads a figure of it."""
    return trained


@pytest.mark.parametrize("kind", Export.Kind)
def test_a_worker_makes_a_file_and_looks_through_it(alice, model, kind):
    export = training.export_model(actor=alice, model=model, kind=kind)
    assert not export.is_over
    exports.make_export(str(export.pk))
    export.refresh_from_db()
    assert export.status == Work.Status.DONE
    content = blobs.get(export.sha256)
    assert len(content) == export.size_bytes
    assert export.scan["state"] == "clean"
    file, opened = training.open_model_file(actor=alice, model=model, kind=kind.value)
    with opened:
        assert opened.read() == content
    assert opened.closed
    assert file.scan_state == "clean"


def test_the_file_says_what_the_model_says(alice, model):
    export = training.export_model(actor=alice, model=model, kind=Export.Kind.WASM)
    exports.make_export(str(export.pk))
    export.refresh_from_db()
    about = wasm.read(blobs.get(export.sha256))
    own = modelfile.load(blobs.get(model.sha256))
    assert about["provenance"] == dict(own.provenance)
    assert about["signature"]["features"] == list(own.signature.features)


def test_asking_twice_makes_one_file(alice, model):
    first = training.export_model(actor=alice, model=model, kind=Export.Kind.WASM)
    assert training.export_model(actor=alice, model=model, kind=Export.Kind.WASM) == first
    exports.make_export(str(first.pk))
    assert training.export_model(actor=alice, model=model, kind=Export.Kind.WASM) == first
    assert Export.objects.count() == 1


def test_a_file_that_cannot_be_made_says_why_and_may_be_asked_for_again(alice, model):
    export = training.export_model(actor=alice, model=model, kind=Export.Kind.ONNX)
    content = blobs.get(model.sha256)
    blobs.delete(model.sha256)
    exports.make_export(str(export.pk))
    export.refresh_from_db()
    assert export.status == Work.Status.FAILED
    assert "missing" in export.error_message
    blobs.put(content)
    second = training.export_model(actor=alice, model=model, kind=Export.Kind.ONNX)
    assert second != export
    exports.make_export(str(second.pk))
    second.refresh_from_db()
    assert second.status == Work.Status.DONE


def test_a_worker_whose_disk_is_slow_keeps_the_file_that_it_writes(alice, model, monkeypatch):
    export = training.export_model(actor=alice, model=model, kind=Export.Kind.WASM)
    with disk_is_slow(monkeypatch, Export) as is_taken_for_dead:
        exports.make_export(str(export.pk))
    export.refresh_from_db()
    assert export.status == Work.Status.DONE
    assert len(is_taken_for_dead) > 2
    assert not any(is_taken_for_dead)


def test_mallory_gets_no_file_of_alices(model, mallory):
    with pytest.raises(training.NotOwner):
        training.export_model(actor=mallory, model=model, kind=Export.Kind.ONNX)
    with pytest.raises(training.NotOwner):
        training.open_model_file(actor=mallory, model=model, kind="safetensors")


def test_what_is_not_made_yet_is_said_to_be_so(alice, model):
    with pytest.raises(training.NotReady, match="no onnx file yet"):
        training.open_model_file(actor=alice, model=model, kind="onnx")


def test_of_a_kind_that_is_none_alice_is_told_those_that_are(alice, model):
    with pytest.raises(training.UnknownKind, match="'pkl' is no kind .* safetensors, onnx, wasm"):
        training.open_model_file(actor=alice, model=model, kind="pkl")
    with pytest.raises(training.UnknownKind, match="'pkl' cannot be made of a model; onnx, wasm"):
        training.export_model(actor=alice, model=model, kind="pkl")


def test_a_file_in_which_something_was_found_is_kept_back(alice, model):
    export = training.export_model(actor=alice, model=model, kind=Export.Kind.ONNX)
    exports.make_export(str(export.pk))
    with connection.cursor() as cursor:  # past the wall that keeps what was found
        cursor.execute("SET session_replication_role = replica")
        Export.objects.update(scan={"state": "flagged", "findings": []})
        cursor.execute("SET session_replication_role = origin")
    with pytest.raises(training.NotReady, match="kept back"):
        training.open_model_file(actor=alice, model=model, kind="onnx")


def test_the_models_own_file_is_not_scanned_before_anybody_looked(model):
    own, *others = training.files_of(model)
    assert own.kind == "safetensors"
    assert own.sha256 == model.sha256
    assert own.scan_state in ("not scanned", "clean")
    assert [other.is_ready for other in others] == [False, False]

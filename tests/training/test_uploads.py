"""Data that people bring: what is taken, what is refused and why, and that nothing is half-kept."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from governance.models import AuditEntry
from tests.training.uploads import npy, npz
from training import services as training
from training.models import Dataset, Work
from training.runner import blobs, caps, formats

CSV = b"length,width,kind\n" + b"".join(
    f"{number / 10},{number % 7},{'ab'[number % 2]}\n".encode() for number in range(60)
)
RECIPE = {
    "kind": "table",
    "columns": [
        {"name": "length", "kind": "number"},
        {"name": "width", "kind": "number"},
        {"name": "kind", "kind": "category", "role": "target"},
    ],
}
SPLIT = {"kind": "random", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 3}


def upload(owner, content=CSV, file_name="plants.csv", **texts) -> Dataset:
    return training.upload_dataset(
        owner=owner, file=io.BytesIO(content), file_name=file_name, **texts
    )


def stored() -> set[Path]:
    """Every file under the storage, temporary ones too."""
    return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


def made_ready(dataset: Dataset) -> Dataset:
    """As a worker leaves it, where what the worker does is not the point."""
    Dataset.objects.filter(pk=dataset.pk).update(
        status=Work.Status.DONE, recipe=RECIPE, rows=60, sha256=blobs.put(dataset.slug.encode())
    )
    dataset.refresh_from_db()
    return dataset


def tight(monkeypatch, **limits) -> None:
    """Every plan takes no more than this."""
    for plan, wide in caps.CAPS.items():
        monkeypatch.setitem(caps.CAPS, plan, caps.Caps(**vars(wide) | limits))


def test_alice_brings_a_table_and_it_is_stored_as_it_came(alice):
    dataset = upload(alice, licence="CC BY 4.0", description="Plants of the garden.")
    assert blobs.get(dataset.upload_sha256) == CSV
    assert dataset.upload_sha256 == hashlib.sha256(CSV).hexdigest()
    assert (dataset.name, dataset.format, dataset.status) == ("plants", "csv", "queued")
    assert (dataset.upload_name, dataset.upload_bytes) == ("plants.csv", len(CSV))
    entry = AuditEntry.objects.get(verb="upload_dataset")
    assert (entry.actor, entry.details["sha256"]) == (alice, dataset.upload_sha256)


def test_a_worker_is_woken_once_the_row_is_there(alice, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        upload(alice)
    assert len(callbacks) == 1


def test_what_alice_brings_only_alice_sees(alice, bob):
    dataset = upload(alice)
    assert dataset in Dataset.objects.visible_to(alice)
    assert dataset not in Dataset.objects.visible_to(bob)
    assert dataset not in Dataset.objects.visible_to(None)


def test_two_files_of_one_name_have_addresses_of_their_own(alice, bob):
    first, second = upload(alice), upload(bob)
    assert first.slug != second.slug
    assert first.slug.startswith("plants-")


class Counted(io.RawIOBase):
    """A file of so many bytes that notes the largest piece anybody asked for."""

    def __init__(self, size_bytes: int) -> None:
        self.left, self.largest = size_bytes, 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read whole"
        self.largest = max(self.largest, size)
        piece = b"1,2\n" * (min(size, self.left) // 4)
        self.left -= len(piece)
        return piece


def test_a_large_file_is_stored_piece_by_piece(alice):
    file = Counted(20_000_000)
    dataset = training.upload_dataset(owner=alice, file=file, file_name="large.csv")
    assert dataset.upload_bytes == 20_000_000
    assert file.largest <= 2**20


def test_mallory_brings_500_megabytes_and_nothing_is_kept(mallory):
    before = stored()
    file = Counted(500_000_000)
    with pytest.raises(training.UploadTooLarge, match=r"file: has more than 50,000,000 bytes"):
        training.upload_dataset(owner=mallory, file=file, file_name="flood.csv")
    assert file.left > 440_000_000  # the rest was not even read
    assert stored() == before
    assert not Dataset.objects.exists()


def test_a_person_keeps_only_so_many_datasets(alice, bob, monkeypatch):
    tight(monkeypatch, datasets=2)
    upload(alice), upload(alice)
    with pytest.raises(training.CapReached, match="2 datasets, as many as your plan keeps"):
        upload(alice)
    upload(bob)  # another's are no matter


def test_a_person_keeps_only_so_many_bytes(alice, monkeypatch):
    tight(monkeypatch, total_bytes=2 * len(CSV) - 1)
    upload(alice)
    before = stored()
    with pytest.raises(training.CapReached, match=f"you have {len(CSV) - 1:,} left"):
        upload(alice, CSV)
    assert stored() == before


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("name", {"name": "a\x00b"}),
        ("name", {"name": "two\nlines"}),
        ("name", {"name": "\u202egnp.exe"}),
        ("name", {"name": "x" * 121}),
        ("licence", {"licence": "WTFPL"}),
        ("description", {"description": "x" * 5_001}),
        ("description", {"description": "\x00"}),
        ("file", {"file_name": "a\nb.csv"}),
        ("file", {"file_name": "x" * 201}),
        ("file", {"file_name": ""}),
    ],
)
def test_mallory_sends_names_that_no_page_can_show(mallory, field, texts):
    before = stored()
    with pytest.raises(training.InvalidUpload, match=f"^{field}: "):
        upload(mallory, **texts)
    assert stored() == before
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (CSV, "a.csv", "csv"),
        (CSV, "a", "csv"),
        (CSV, "a.CSV", "csv"),
        (b"a;b\n1;2\n", "a", "csv"),
        (b"a\tb\n1\t2\n", "a", "tsv"),
        (b"a\tb\n1\t2\n", "a.tab", "tsv"),
        (b'{"a": 1}\n', "a", "jsonl"),
        (b'\xef\xbb\xbf{"a": 1}\n', "a.json", "jsonl"),
        (b"Once upon a time", "a", "text"),
        (CSV, "a.txt", "text"),
        ("a,b\n1,2\n".encode("utf-16"), "a.csv", "csv"),
        (b"PAR1....", "a.csv", "parquet"),
        (npy(np.zeros((2, 2))), "a.bin", "npy"),
        (npz(features=np.zeros((2, 2))), "a.zip", "npz"),
        (b"PK\x03\x04" + b"\0" * 22 + b"\x07\0\0\0cat/1.p", "a.zip", "zip"),
    ],
)
def test_the_bytes_say_what_a_file_is(content, name, kind):
    assert formats.format_of(content, name) == kind


@pytest.mark.parametrize(
    ("content", "name", "way_out"),
    [
        (b"", "a.csv", "bring one with rows"),
        (b" \n", "a.csv", "bring one with rows"),
        (b"\x1f\x8b\x08", "a.csv.gz", "unpack it"),
        (b"\x80\x04\x95", "a.pkl", "save the arrays as .npz"),
        (b"\xd0\xcf\x11\xe0", "a.xls", "save the sheet as CSV"),
        (b"PK\x03\x04" + b"\0" * 22 + b"\x13\0\0\0[Content_Types].xml", "a.xlsx", "as CSV"),
        (b"\x89PNG", "a.png", "a folder for each class"),
        (b"[1, 2]", "a.json", "one object a line"),
        (b"a,b", "a.parquet", "does not begin like one"),
        (b"\x7fELF\x00\x00", "a.csv", "none of the formats"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}", "a.safetensors", "none of the formats"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(alice, content, name, way_out):
    with pytest.raises(training.InvalidUpload, match=way_out):
        upload(alice, content, name)
    assert not Dataset.objects.exists()


# Rows in a request


def lines(dataset: Dataset) -> list[dict]:
    return [json.loads(line) for line in blobs.get(dataset.upload_sha256).splitlines()]


def inline(owner, features, labels=None, **texts) -> Dataset:
    return training.add_inline_dataset(owner=owner, features=features, labels=labels, **texts)


def test_rows_of_a_request_become_a_file_like_any_other(alice):
    dataset = inline(alice, [[1, 2.5], [3, None]], ["a", "b"])
    assert lines(dataset) == [
        {"x1": 1, "x2": 2.5, "target": "a"},
        {"x1": 3, "x2": None, "target": "b"},
    ]
    assert (dataset.format, dataset.status) == ("jsonl", "queued")


def test_rows_may_have_names_be_texts_or_bear_several_numbers(alice):
    assert lines(inline(alice, [{"size": 1}], [True])) == [{"size": 1, "target": True}]
    assert lines(inline(alice, ["good"], ["yes"])) == [{"text": "good", "target": "yes"}]
    assert lines(inline(alice, [7])) == [{"x1": 7}]
    assert lines(inline(alice, [[1]], [[2, 3]])) == [{"x1": 1, "target1": 2, "target2": 3}]


def test_pictures_in_a_request_become_arrays(alice):
    dataset = inline(alice, [[[0, 1], [2, 3]]] * 3, [0, 1, 0])
    with np.load(io.BytesIO(blobs.get(dataset.upload_sha256)), allow_pickle=False) as arrays:
        assert arrays["features"].shape == (3, 2, 2)
        assert arrays["targets"].tolist() == [0, 1, 0]


def test_the_same_rows_twice_are_one_dataset(alice, bob):
    first = inline(alice, [[1], [2]], [0, 1])
    assert inline(alice, [[1], [2]], [0, 1]) == first
    assert inline(alice, [[1], [2]], [0, 1], name="Another") != first
    assert inline(bob, [[1], [2]], [0, 1]) != first


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        ({}, None, "features: must be a list"),
        ([], None, "features: is empty"),
        ([[]], None, r"features\[0\]: is empty"),
        ([[1], [2]], [0], "labels: has 1 entries and features has 2 rows"),
        ([[1]], 3, "labels: must be a list"),
        ([[{}]], None, r"features\[0\].x1: must be a text, a number"),
        ([[1]], [{}], r"labels\[0\]: must be a text, a number"),
        ([{"target": 1}], [0], r"features\[0\].target: the labels are called so"),
        ([[[1, 2], [3]]], None, "every row must have the same sides"),
        ([[["a"]]], None, "arrays must hold numbers"),
        (
            [[[1]], [[2]]],
            ["a", "b" * 81],
            r"labels\[1\]: has 81 characters; a class has at most 80",
        ),
        ([[[1]]], [["b" * 81]], r"labels\[0\]: has 81 characters"),
        ([[[1]]], [["a", "b"]], r"labels\[0\]: must be numbers"),
        ([[[1]]], [[[1]]], r"labels\[0\]: must be a text or a number"),
        ([[[1]]], [None], r"labels\[0\]: must be a text or a number"),
        ([["\ud800"]], None, "surrogate"),
        ([[1]] * 100_001, None, "at most 100,000 in a request"),
    ],
)
def test_rows_that_are_none_are_refused_by_their_place(alice, features, labels, reason):
    with pytest.raises(training.InvalidUpload, match=reason):
        inline(alice, features, labels)
    assert not Dataset.objects.exists()

"""Data as it is stored, split and looked at."""

import hashlib
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from sklearn.datasets import load_digits

from governance.services import Refusal
from training import services as training
from training.models import Dataset
from training.runner import blobs, datasets, leases
from training.runner.bundles.parts import stratified
from training.runner.rows import Part, unpack


def test_the_digits_are_stored_under_the_hash_of_their_bytes(digits):
    content = blobs.get(digits.sha256)
    assert hashlib.sha256(content).hexdigest() == digits.sha256
    rows, source = unpack(content), load_digits()
    assert (rows.features == source.data).all()
    assert (rows.targets == source.target).all()
    assert (digits.rows, digits.columns) == (1797, 64)
    assert digits.class_balance == np.bincount(source.target).tolist()


def test_the_split_is_disjoint_complete_and_stratified(digits):
    rows = unpack(blobs.get(digits.sha256))
    numbers = [rows.numbers(part) for part in Part]
    assert sorted(np.concatenate(numbers)) == list(range(1797))
    assert [len(part) for part in numbers] == [1257, 270, 270]
    for part in Part:
        shares = np.bincount(rows.only(part).targets) / len(rows.numbers(part))
        assert np.abs(shares - np.array(digits.class_balance) / 1797).max() < 0.01


def test_the_same_seed_splits_the_same_way_and_another_does_not():
    labels = load_digits().target.astype(np.int32)
    first = stratified(labels, seed=0)
    assert (stratified(labels, seed=0) == first).all()
    assert (stratified(labels, seed=1) != first).any()


def test_preparing_again_changes_nothing(digits):
    datasets.prepare_dataset(str(digits.pk))
    assert Dataset.objects.get().sha256 == digits.sha256


def test_a_dataset_nobody_bundled_is_refused_with_those_that_are(db):
    with pytest.raises(Refusal, match="these are: breast-cancer, "):
        training.add_bundled_dataset(slug="moons")


def test_a_blob_that_was_altered_is_not_believed(digits, settings):
    path = blobs.default_storage.path(blobs.name(digits.sha256))
    with open(path, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    try:
        with pytest.raises(blobs.BlobDamaged):
            blobs.get(digits.sha256)
    finally:
        with open(path, "r+b") as file:
            file.seek(1000)
            file.write(byte)


def test_a_preview_shows_rows_of_one_part(digits):
    rows = unpack(blobs.get(digits.sha256))
    preview = training.preview_rows(dataset=digits, count=5, part=training.Part.TEST)
    assert [row.number for row in preview] == rows.numbers(Part.TEST)[:5].tolist()
    assert preview[0].values == rows.features[preview[0].number].tolist()


def test_a_dataset_that_another_worker_took_meanwhile_is_left_to_it(db):
    digits = training.add_bundled_dataset(slug="digits")
    claimed = leases.claim(Dataset, str(digits.pk))
    Dataset.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert leases.claim(Dataset, str(digits.pk)).attempt == 2
    with pytest.raises(leases.LeaseLost):
        datasets.prepare(claimed)
    digits.refresh_from_db()
    assert (digits.status, digits.sha256) == ("leased", "")

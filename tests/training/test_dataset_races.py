"""Data that are deleted while somebody is about to train on them, or just now stores them.

Each test takes a second or two: the two sides meet in transactions of their own, so the database is
filled and emptied for each.
"""

import hashlib
import io
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction

from tests.conftest import SMALL
from tests.training.test_uploads import CSV
from tests.training.uploads import brought
from training import services as training
from training.models import Dataset, Job, Search, Tier
from training.runner import blobs, datasets, sweeps


def start(owner, dataset, what: str) -> Job | Search:
    """A job, or a search that begins none yet."""
    asked = {"owner": owner, "dataset": dataset, "config": SMALL, "tier": Tier.NANO}
    if what == "job":
        return training.submit_job(**asked)
    space = {"training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    limits = {"trials_max": 2, "budget_microcredits": 10**9}
    return training.start_search(space=space, **asked, **limits)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["job", "search"])
def test_data_that_are_deleted_at_this_moment_are_not_trained_on(alice, digits, what):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice)
    digits.refresh_from_db()
    refused = []

    def begin() -> None:
        try:
            start(alice, digits, what)
        except training.NotReady as refusal:
            refused.append(str(refusal))

    with transaction.atomic():
        training.delete_dataset(actor=alice, dataset=digits)
        thread = stopped_at_a_lock(begin)
    thread.join(timeout=10)
    assert refused == [
        f"The dataset “{digits.name}” was corrected just now, or deleted; look at it anew."
    ]
    assert not Job.objects.exists()
    assert not Search.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nobody_deletes_rows_between_their_file_and_the_row_that_names_it():
    """The file is stored and the row not yet written: it is held, and so is who comes to delete."""
    read = datasets.read_bundle("iris", 0)
    sha256 = hashlib.sha256(read.content).hexdigest()
    blobs.delete(sha256)
    iris = training.add_bundled_dataset(slug="iris")
    claimed = training.claim(Dataset, str(iris.pk))
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=iris.pk)
        storing = stopped_at_a_lock(partial(datasets.store, claimed, read))
        assert blobs.is_whole(sha256)
        deleting = stopped_at_a_lock(
            transaction.atomic(partial(sweeps.forget_blob, sha256, is_named=lambda _: False))
        )
    for thread in (storing, deleting):
        thread.join(timeout=10)
    iris.refresh_from_db()
    assert (iris.status, iris.sha256) == ("done", sha256)
    assert blobs.is_whole(sha256)


@pytest.mark.django_db(transaction=True)
def test_alice_brings_another_file_while_the_rows_of_her_first_are_written(
    alice, in_this_process, monkeypatch
):
    new = (
        f"{secrets.randbelow(10**6)},9,a\n".encode()
    )  # or the rows' file is there, and no disk is waited for
    first = brought(alice, CSV + new, "csv")
    bring = partial(training.upload_dataset, owner=alice, file_name="b.csv", name="Second")
    second = threading.Thread(target=alone(partial(bring, file=io.BytesIO(CSV))))
    sync, waited = os.fsync, []

    def sync_and_bring(descriptor: int) -> None:
        sync(descriptor)
        if not waited:
            waited.append(True)
            second.start()
            second.join(timeout=5)
            waited[0] = second.is_alive()

    monkeypatch.setattr(os, "fsync", sync_and_bring)
    datasets.prepare_dataset(str(first.pk))
    second.join(timeout=10)
    assert waited == [False]
    assert set(Dataset.objects.values_list("name", "status")) == {
        (first.name, "done"),
        ("Second", "queued"),
    }


def alone(act: Callable[[], object]) -> Callable[[], None]:
    """To be done on a connection of its own."""

    def do() -> None:
        try:
            act()
        finally:
            connection.close()

    return do


def stopped_at_a_lock(act: Callable[[], object]) -> threading.Thread:
    """A thread that does this on a connection of its own, and waits there for another's."""
    pids = queue.SimpleQueue()

    def do() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.put(cursor.fetchone()[0])
        act()

    thread = threading.Thread(target=alone(do))
    thread.start()
    wait_for_lock(pids.get(timeout=10))
    return thread


def wait_for_lock(pid: int) -> None:
    """Until that connection waits for a row of another's, or for its turn."""
    deadline = time.monotonic() + 10
    kind = None
    while kind != "Lock":
        assert time.monotonic() < deadline, "it never came to the row"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction sees the first
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
            (kind,) = cursor.fetchone()

"""Data that are deleted while somebody is about to train on them.

Each test takes a second or two: the two sides meet in transactions of their own, so the database is
filled and emptied for each.
"""

import queue
import threading
import time

import pytest
from django.db import connection, transaction

from tests.conftest import SMALL
from training import services as training
from training.models import Dataset, Job, Search, Tier


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
    pids, refused = queue.SimpleQueue(), []

    def begin() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.put(cursor.fetchone()[0])
        try:
            start(alice, digits, what)
        except training.NotReady as refusal:
            refused.append(str(refusal))
        finally:
            connection.close()

    with transaction.atomic():
        training.delete_dataset(actor=alice, dataset=digits)
        thread = threading.Thread(target=begin)
        thread.start()
        wait_for_lock(pids.get(timeout=10))
    thread.join(timeout=10)
    assert refused == [
        f"The dataset “{digits.name}” was corrected just now, or deleted; look at it anew."
    ]
    assert not Job.objects.exists()
    assert not Search.objects.exists()


def wait_for_lock(pid: int) -> None:
    """Until that connection waits for a row of another's."""
    deadline = time.monotonic() + 10
    kind = None
    while kind != "Lock":
        assert time.monotonic() < deadline, "it never came to the row"
        with connection.cursor() as cursor:
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
            (kind,) = cursor.fetchone()

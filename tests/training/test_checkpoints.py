"""What a job keeps on disk: shared, damaged, lost, and forgotten in the end."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from billing import services as billing
from tests.conftest import SMALL
from tests.training.outages import disk_is_slow
from tests.training.test_jobs import weights_of_one_run
from training import services as training
from training.models import Job, Model, Tier, Work
from training.runner import blobs, chunks, sweeps


def test_a_checkpoint_that_an_equal_job_names_is_not_forgotten(job, alice, digits):
    twin = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO, seed=1)
    shared = blobs.put(b"the state of both at step 1")
    for step in range(1, chunks.CHECKPOINTS_KEPT + 2):
        sha256 = shared if step == 1 else blobs.put(b"state %d" % step)
        job.checkpoints.create(step=step, sha256=sha256, size_bytes=1)
    twin.checkpoints.create(step=1, sha256=shared, size_bytes=1)
    chunks.forget_old_checkpoints(job)
    assert job.checkpoints.count() == chunks.CHECKPOINTS_KEPT
    assert blobs.get(shared) == b"the state of both at step 1"
    twin.checkpoints.all().delete()
    job.checkpoints.create(step=0, sha256=shared, size_bytes=1)
    chunks.forget_old_checkpoints(job)
    assert not blobs.default_storage.exists(blobs.name(shared))


def damage(sha256):
    """A bit of the file turns over, as on an old disk."""
    path = Path(blobs.default_storage.path(blobs.name(sha256)))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def lose(sha256):
    blobs.delete(sha256)


@pytest.mark.parametrize("harm", [damage, lose])
def test_a_checkpoint_of_no_use_costs_time_and_not_a_bit(job, settings, harm):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    for _ in range(3):
        chunks.run_turn()
    newest, older = job.checkpoints.all()[:2]
    harm(newest.sha256)
    chunks.run_turn()
    assert job.events.filter(message__contains=f"at step {newest.step} is of no use").exists()
    assert blobs.get(newest.sha256)  # made anew, to the same bits
    for checkpoint in job.checkpoints.all():
        harm(checkpoint.sha256)
    settings.TRAINING_CHUNK_SECONDS = 60.0
    chunks.run_turn()
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert billing.ledger_faults() == []


@pytest.mark.parametrize(("harm", "code"), [(damage, "blob_damaged"), (lose, "blob_missing")])
def test_a_job_whose_data_are_lost_says_so_and_costs_nothing(job, alice, harm, code):
    before = billing.available_microcredits(alice) + job.quote_microcredits
    content = blobs.get(job.dataset.sha256)
    harm(job.dataset.sha256)
    try:
        chunks.run_turn()
    finally:
        assert blobs.put(content) == job.dataset.sha256
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.FAILED, code)
    assert job.dataset.sha256 in job.error_message
    assert billing.available_microcredits(alice) == before
    assert blobs.get(job.dataset.sha256) == content  # storing it again mends it


def test_a_worker_whose_disk_is_slow_keeps_its_job(job, settings, monkeypatch):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    with disk_is_slow(monkeypatch) as is_taken_for_dead:
        chunks.run_turn()
    assert len(is_taken_for_dead) > 2
    assert not any(is_taken_for_dead)
    job.refresh_from_db()
    assert (job.attempt, job.lost_leases, job.checkpoints.count()) == (1, 0, 1)


def test_a_checkpoint_that_was_forgotten_while_it_was_stored_is_stored_again(db):
    content = b"the state of two equal jobs"
    sha256 = blobs.put(content)
    blobs.delete(sha256)  # the other job's was the last that was named
    blobs.keep(sha256, content)
    assert blobs.get(sha256) == content
    blobs.delete(sha256)


def test_checkpoints_are_forgotten_when_their_job_is_over_for_long(job, alice, settings):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    for _ in range(2):
        chunks.run_turn()
    checkpoint = job.checkpoints.first()
    sweeps.forget_checkpoints()
    training.cancel_job(actor=alice, job=job)
    sweeps.forget_checkpoints()
    assert blobs.get(checkpoint.sha256)
    long_ago = timezone.now() - timedelta(days=settings.RETENTION_DAYS, seconds=1)
    Job.objects.update(finished_at=long_ago)
    sweeps.forget_checkpoints()
    assert not job.checkpoints.exists()
    assert not blobs.default_storage.exists(blobs.name(checkpoint.sha256))

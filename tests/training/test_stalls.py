"""A worker that lives and gets no further holds nobody's work for ever."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from training import services as training
from training.models import Job, Validation, Work
from training.runner import chunks, leases, sweeps

HOUR = timedelta(hours=1)


@pytest.fixture
def held(job, monkeypatch) -> Job:
    """A job of alice that a worker claimed an hour ago, and has renewed ever since."""
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.0)
    claimed = leases.claim(Job, str(job.pk))
    assert claimed is not None
    passed(Job)
    return claimed


def passed(kind: type[Work]) -> None:
    """An hour of it, in which the lease was renewed."""
    kind._default_manager.filter(status__in=Work.OPEN).update(
        progressed_at=F("progressed_at") - HOUR
    )


def test_a_job_whose_worker_beats_at_one_step_for_ever_goes_to_another(held):
    beat = leases.heartbeat(held)
    beat(7)
    passed(Job)
    beat(7)  # alive, and no further
    held.refresh_from_db()
    assert held.lease_until > timezone.now()
    sweeps.release_stalled()
    with pytest.raises(leases.LeaseLost):
        beat(7)  # the loop ends here
    held.refresh_from_db()
    assert (held.lease_until, held.lost_leases) == (None, 1)
    assert held.events.filter(message__contains="got no further").exists()
    while not held.is_over:
        chunks.run_turn()
        held.refresh_from_db()
    assert held.status == Work.Status.DONE


def test_a_job_that_gets_on_keeps_its_worker(held):
    beat = leases.heartbeat(held)
    for step in range(3):
        passed(Job)
        beat(step)
        sweeps.release_stalled()
    held.refresh_from_db()
    assert (held.lost_leases, held.status) == (0, Work.Status.RUNNING)


def test_whoever_claims_first_frees_stalled_work_too(held):
    leases.wait(held)
    again = leases.claim(Job, str(held.pk))
    assert again is not None
    assert again.lost_leases == 1
    with pytest.raises(leases.LeaseLost):
        leases.wait(held)


def test_a_job_that_stalls_every_worker_is_taken_out_of_the_queue(held):
    for _ in range(leases.LOST_LEASES_MAX):
        leases.claim(Job, str(held.pk))
        passed(Job)
        sweeps.release_stalled()
    held.refresh_from_db()
    assert held.status == Work.Status.QUARANTINED
    assert "stood still" in held.error_message


def test_each_part_of_a_validation_is_progress_whatever_its_number(model, alice, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.0)
    asked = training.validate_model(actor=alice, model=model)
    validation = leases.claim(Validation, str(asked.pk))
    beat = leases.heartbeat_of_parts(validation)
    for _ in range(3):
        passed(Validation)
        beat(0)
        sweeps.release_stalled()
    validation.refresh_from_db()
    assert (validation.lost_leases, validation.is_over) == (0, False)


def test_a_file_of_alices_that_may_be_read_for_long_is_not_taken_from_its_reader():
    """Settings are read once, so here by a process of its own."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from config import settings; print(settings.TRAINING_STALL_SECONDS)",
        ],
        cwd=settings.BASE_DIR,
        env=os.environ | {"TRAINING_READER_SECONDS": "7200"},
        capture_output=True,
        text=True,
    )
    assert float(said.stdout) > 7200, said.stderr

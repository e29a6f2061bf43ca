"""Who is served when, how often a job is tried, and what happens to one that no longer gets on."""

import uuid
from datetime import timedelta

import pytest
from celery import current_app
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.exceptions import OperationalError as BrokerError

from billing import services as billing
from tests.conftest import SMALL
from tests.training.outages import database_fails_at
from training import services as training
from training import tasks
from training.models import Job, Model, Tier, Work
from training.runner import chunks, leases, places, plans, queue, sweeps


@pytest.fixture
def submit(digits):
    """Submits jobs of a person, one after the other."""

    def submit(owner, count=1):
        asked = {"owner": owner, "dataset": digits, "config": SMALL, "tier": Tier.NANO}
        return [training.submit_job(seed=seed, **asked) for seed in range(count)]

    return submit


def buy_credits(user):
    billing.issue(
        user=user,
        amount_microcredits=50_000_000,
        reason="Bought",
        key=f"bought/{user.pk}",
        promotional=False,
    )


def begin(job):
    """A worker has the job."""
    claimed = chunks.claim(str(job.pk))
    assert claimed is not None
    return claimed


def pause(job):
    """Between two chunks: begun, and held by nobody."""
    Job.objects.filter(pk=job.pk).update(status=Work.Status.RUNNING, lease_until=None)


def silence(job):
    """Its worker is not heard of any more."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_person_has_only_so_many_jobs_running_and_the_next_waits(submit, alice):
    jobs = submit(alice, plans.FREE.running_jobs + 1)
    for job in jobs[:-1]:
        begin(job)
    assert chunks.claim(str(jobs[-1].pk)) is None
    jobs[-1].refresh_from_db()
    assert (jobs[-1].status, jobs[-1].attempt) == (Work.Status.QUEUED, 0)
    training.cancel_job(actor=alice, job=jobs[0])
    assert chunks.claim(str(jobs[-1].pk)) is not None


def test_a_job_that_is_between_chunks_still_counts_and_goes_on(submit, alice):
    jobs = submit(alice, plans.FREE.running_jobs + 1)
    for job in jobs[:-1]:
        begin(job)
        pause(job)
    assert chunks.claim(str(jobs[-1].pk)) is None
    assert chunks.claim(str(jobs[0].pk)) is not None


def test_a_hundred_jobs_of_one_person_do_not_starve_anothers_first(submit, alice, bob):
    submit(alice, 20)
    (job,) = submit(bob)
    assert queue.line()[-1] == job.pk
    for _ in range(2):
        chunks.run_turn()
    job.refresh_from_db()
    assert job.status == Work.Status.DONE


def test_among_equals_the_oldest_goes_first_and_the_last_served_goes_last(submit, alice, bob):
    (first,) = submit(alice)
    (second,) = submit(bob)
    Job.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(seconds=9))
    assert queue.line() == [first.pk, second.pk]
    begin(first)
    pause(first)
    first.checkpoints.create(step=1, sha256="0" * 64, size_bytes=1)
    assert queue.line() == [second.pk, first.pk]


def test_who_pays_goes_first_but_not_for_ever(submit, alice, bob):
    buy_credits(bob)
    (free,) = submit(alice)
    (paying,) = submit(bob)
    assert (free.priority, paying.priority) == (0, 1)
    assert queue.line() == [paying.pk, free.pk]
    waited = timezone.now() - queue.HEAD_START - timedelta(seconds=1)
    Job.objects.filter(pk=free.pk).update(created_at=waited)
    assert queue.line() == [free.pk, paying.pk]


def test_who_pays_may_run_more_at_once(submit, bob):
    buy_credits(bob)
    for job in submit(bob, plans.PAYING.running_jobs):
        begin(job)


def test_a_hint_serves_whoever_is_first_in_line(submit, alice, bob):
    (first,) = submit(alice)
    (second,) = submit(bob)
    tasks.run_job(job_id=str(second.pk))
    assert Model.objects.get().job == first


def test_the_place_in_line_is_told(submit, alice, bob):
    (first,) = submit(bob)
    jobs = submit(alice, plans.FREE.running_jobs + 1)
    assert places.place_of(first) == places.Place(ahead=0, is_held_back=False, running_jobs=2)
    assert places.place_of(jobs[0]) == places.Place(ahead=1, is_held_back=False, running_jobs=2)
    assert places.place_of(jobs[-1]) == places.Place(ahead=3, is_held_back=True, running_jobs=2)
    assert places.place_of(begin(first)) is None


JOBS_EACH = 5
MOMENTS = ("created_at", "started_at", "finished_at")
SECONDS_AGO = st.integers(0, 40)
JOB = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["queued"] * 4 + ["leased", "running", "cancelled"]),
        "is_distributed": st.sampled_from([False] * 5 + [True]),
        "priority": st.integers(0, 2),
        "created_at": SECONDS_AGO,
        "started_at": SECONDS_AGO,
        "finished_at": st.sampled_from([1, 20, 7_200]),
        "saved_at": SECONDS_AGO | st.none(),
        "is_silent": st.booleans(),
        "paid_by": st.none() | st.integers(0, 3 * JOBS_EACH - 1),  # who has this job of the crowd
    }
)


# Above a second, for what it is there for: 15 jobs are submitted, and each queue asks after all.
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=st.lists(JOB, min_size=3 * JOBS_EACH, max_size=3 * JOBS_EACH))
def test_the_place_told_is_the_place_in_line_whoever_waits(crowd, drawn):
    with transaction.atomic():
        for job, state in zip(crowd, drawn, strict=True):
            bring_to(job, crowd, **state)
        compare_places()
        transaction.set_rollback(True)


@pytest.fixture
def crowd(submit, alice, bob, mallory):
    """Jobs of people who pay with what they were given, what they bought and what they earned."""
    buy_credits(bob)
    billing.sell(
        buyer=bob,
        author=mallory,
        amount_microcredits=billing.available_microcredits(bob) - 20_000_000,
        key="1",
        source="template/1",
        memo="Digits",
    )
    return [job for person in (alice, bob, mallory) for job in submit(person, JOBS_EACH)]


def bring_to(job, crowd, *, paid_by, saved_at, is_silent, **state):
    """As a worker, some seconds ago, left it."""
    now = timezone.now()
    at = {name: now - timedelta(seconds=state.pop(name)) for name in MOMENTS}
    is_begun, is_over = state["status"] != "queued", state["status"] == "cancelled"
    if is_begun and saved_at is not None:
        job.checkpoints.create(step=1, sha256="0" * 64, size_bytes=1)
        job.checkpoints.update(created_at=now - timedelta(seconds=saved_at))
    lease = timedelta(seconds=-1 if is_silent else 30)
    Job.objects.filter(pk=job.pk).update(
        payer=(job if paid_by is None else crowd[paid_by]).owner,
        created_at=at["created_at"],
        started_at=at["started_at"] if is_begun else None,
        finished_at=at["finished_at"] if is_over else None,
        lease_until=now + lease if is_begun and not is_over else None,
        **state,
    )


def compare_places():
    """What is told of each job, with what the line itself says."""
    queued = queue.undivided().filter(status=Work.Status.QUEUED)
    in_line = [each for each in queue.line() if queued.filter(pk=each).exists()]
    for job in queued:
        is_held_back = job.pk not in in_line
        ahead = len(in_line) if is_held_back else in_line.index(job.pk)
        place = places.place_of(job)
        assert (place.ahead, place.is_held_back) == (ahead, is_held_back)


def test_the_end_of_a_job_wakes_the_next_of_its_owner(
    submit, alice, monkeypatch, django_capture_on_commit_callbacks
):
    jobs = submit(alice, plans.FREE.running_jobs + 1)
    for job in jobs[:-1]:
        begin(job)
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))
    with django_capture_on_commit_callbacks(execute=True):
        training.cancel_job(actor=alice, job=jobs[0])
    assert sent == [("training.tasks.run_job", {"job_id": str(jobs[-1].pk)})]


# What is tried again, and what never


def test_a_job_that_needs_more_memory_than_there_is_is_never_tried_again(alice, digits):
    buy_credits(alice)
    before = billing.available_microcredits(alice)
    wide = {"type": "feedforward", "layers": [{"type": "dense", "units": 3_000}] * 2}
    config = SMALL | {"architecture": wide, "training": SMALL["training"] | {"epochs": 1}}
    job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.MEDIUM)
    Job.objects.filter(pk=job.pk).update(tier=Tier.NANO)
    for _ in range(2):
        chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_code, job.attempt) == (Work.Status.FAILED, "out_of_memory", 1)
    assert billing.available_microcredits(alice) == before


def test_a_config_that_became_bad_is_never_tried_again(job, alice):
    before = billing.available_microcredits(alice) + job.quote_microcredits
    Job.objects.filter(pk=job.pk).update(config=SMALL | {"training": {"epochs": 0}})
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.FAILED, "config_error")
    assert "training.epochs" in job.error_message
    assert billing.available_microcredits(alice) == before


def test_a_hiccup_of_the_database_is_tried_again(job):
    with database_fails_at("training_model"), pytest.raises(OperationalError, match="disk is full"):
        chunks.run_turn()
    job.refresh_from_db()
    assert not job.is_over
    silence(job)
    sweeps.release_stalled()
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Work.Status.DONE, 2)


def test_a_hint_that_the_broker_did_not_take_is_given_again(
    submit, alice, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(name, kwargs):
        raise BrokerError("the broker is away")

    monkeypatch.setattr(current_app, "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        (job,) = submit(alice)
    Job.objects.update(created_at=timezone.now() - sweeps.WAITED - timedelta(seconds=1))
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append(kwargs))
    sweeps.hint_waiting()
    assert sent == [{"job_id": str(job.pk)}]


def test_however_many_wait_those_first_in_line_are_hinted_again(
    submit, alice, bob, mallory, monkeypatch
):
    jobs = [submit(owner)[0] for owner in (alice, bob, mallory)]
    Job.objects.update(created_at=F("created_at") - sweeps.WAITED - timedelta(seconds=1))
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append(kwargs))
    monkeypatch.setattr(sweeps, "HINTED_AT_ONCE", 2)
    sweeps.hint_waiting()
    sweeps.hint_waiting()  # within the lease, and so none anew
    assert {each["job_id"] for each in sent} == {str(job.pk) for job in jobs[:2]}
    assert len(sent) == 2


# What no longer gets on


def test_a_job_whose_worker_fell_silent_is_released_and_goes_on(job):
    begin(job)
    sweeps.release_stalled()
    job.refresh_from_db()
    assert job.lease_until is not None  # its worker is alive
    silence(job)
    sweeps.release_stalled()
    job.refresh_from_db()
    assert (job.lease_until, job.lost_leases) == (None, 1)
    assert job.events.filter(message__contains="fell silent").exists()
    chunks.run_turn()
    job.refresh_from_db()
    assert job.status == Work.Status.DONE


def test_a_job_that_never_gets_on_is_quarantined_and_gives_its_money_back(job, alice):
    before = billing.available_microcredits(alice) + job.quote_microcredits
    for _ in range(leases.LOST_LEASES_MAX):
        begin(job)
        silence(job)
        sweeps.release_stalled()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.QUARANTINED, "poison")
    assert billing.available_microcredits(alice) == before
    assert chunks.claim(str(job.pk)) is None
    assert billing.ledger_faults() == []


def test_a_loss_is_counted_once_whoever_sees_it_first(job):
    begin(job)
    silence(job)
    sweeps.release_stalled()
    sweeps.release_stalled()
    assert begin(job).lost_leases == 1


def test_a_job_that_is_not_there_is_nobodys_turn(db):
    assert chunks.claim(str(uuid.uuid4())) is None
    chunks.run_turn()

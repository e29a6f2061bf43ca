"""Real Celery workers on a real broker, killed with SIGKILL. Slow, since they really start."""

import os
import signal
import subprocess
import time
from itertools import pairwise

from billing import services as billing
from billing.models import Transfer
from tests.conftest import SMALL, empty_queues, person
from tests.training.test_jobs import weights_of_one_run
from training import services as training
from training.models import Dataset, Job, Model, Tier, Work

LONG = SMALL | {"training": SMALL["training"] | {"epochs": 1_000}}
PATIENCE_SECONDS = 180  # only what never happens takes so long, on however busy a machine
WELCOME = 100_000_000  # micro-credits, of which alice has spent none


def wait_for(row, reached, what: str, seconds: float = PATIENCE_SECONDS):
    give_up_at = time.monotonic() + seconds
    while not reached(row):
        assert time.monotonic() < give_up_at, f"{what} did not happen: {row.__dict__}"
        time.sleep(0.05)
        row.refresh_from_db()


def is_over(work: Work) -> bool:
    return work.is_over


def submit_long_job() -> Job:
    alice = person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    wait_for(digits, is_over, "preparing the data")
    return training.submit_job(owner=alice, dataset=digits, config=LONG, tier=Tier.NANO, seed=1)


def test_a_job_whose_worker_is_killed_ends_in_the_same_bits(start_worker):
    first = start_worker()
    job = submit_long_job()
    wait_for(job, lambda job: job.steps_done > 0 or job.is_over, "the first chunk")
    assert not job.is_over, "the job was too short to be interrupted"
    os.killpg(first.pid, signal.SIGKILL)
    first.join()
    job.refresh_from_db()
    interrupted_at, attempt = job.steps_done, job.attempt
    assert 0 < interrupted_at < job.steps_total
    start_worker()
    wait_for(job, is_over, "the end of the job")
    assert job.status == Work.Status.DONE
    assert job.attempt > attempt
    model = Model.objects.get(job=job)
    assert model.weights_sha256 == weights_of_one_run(job)
    assert job.cost_microcredits == job.quote_microcredits
    assert sorted(job.points.values_list("epoch", flat=True)) == list(range(1, 1_001))
    wait_for(model.validations.get(), is_over, "the validation")
    assert billing.ledger_faults() == []


def test_a_killed_child_and_an_emptied_broker_lose_nothing(start_worker):
    worker = start_worker()
    job = submit_long_job()
    wait_for(job, lambda job: job.steps_done > 0 or job.is_over, "the first chunk")
    for child in children(worker.pid):
        os.kill(child, signal.SIGKILL)
    empty_queues()
    wait_for(job, is_over, "the end of the job")
    assert job.status == Work.Status.DONE
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert Dataset.objects.get().status == Work.Status.DONE


def test_a_cancelled_job_ends_within_two_seconds_of_compute(start_worker, settings):
    start_worker("--concurrency=1")
    job = submit_long_job()
    assert billing.available_microcredits(job.owner) == WELCOME - job.quote_microcredits
    wait_for(job, lambda job: job.steps_done > 0 or job.is_over, "the first chunk")
    job = training.cancel_job(actor=job.owner, job=job)
    assert job.status == Work.Status.CANCELLED
    steps, paid = captured(job)
    assert 0 < steps[-1] == job.steps_done < job.steps_total
    assert paid == [price(job, high) - price(job, low) for low, high in pairwise([0, *steps])]
    assert sum(paid) == price(job, job.steps_done) == job.cost_microcredits > 0
    job.hold.refresh_from_db()
    assert job.hold.captured_microcredits == job.cost_microcredits
    assert (job.hold.state, job.hold.remaining_microcredits) == ("closed", 0)
    assert billing.available_microcredits(job.owner) == WELCOME - job.cost_microcredits
    # The only worker is free again: what is asked of it next ends at once.
    short = training.submit_job(
        owner=job.owner, dataset=job.dataset, config=SMALL, tier=Tier.NANO, seed=2
    )
    wait_for(short, lambda short: short.started_at is not None, "the worker coming free")
    assert (short.started_at - job.finished_at).total_seconds() < 2
    # And the chunk that it was at when the job was cancelled has cost nothing.
    job.refresh_from_db()
    assert (job.status, job.steps_done) == (Work.Status.CANCELLED, steps[-1])
    assert captured(job) == (steps, paid)
    wait_for(short, is_over, "the end of the short job")
    rest = WELCOME - job.cost_microcredits - short.cost_microcredits
    assert billing.available_microcredits(job.owner) == rest
    assert billing.ledger_faults() == []


def price(job: Job, step: int) -> int:
    """What so many steps of a job cost."""
    return job.quote_microcredits * step // job.steps_total


def captured(job: Job) -> tuple[list[int], list[int]]:
    """The step at which each chunk of a job ended, and what was taken for the chunk."""
    captures = list(Transfer.objects.filter(hold=job.hold).order_by("pk"))
    steps = [int(capture.key.rpartition("/")[2]) for capture in captures]
    amounts = [[leg.amount_microcredits for leg in capture.legs.all()] for capture in captures]
    return steps, [sum(amount for amount in legs if amount > 0) for legs in amounts]


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]

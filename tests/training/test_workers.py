"""Real Celery workers on a real broker, killed with SIGKILL. Slow, since they really start."""

import os
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection

from billing import services as billing
from config import embedded
from tests.conftest import SMALL, person
from tests.training.test_jobs import weights_of_one_run
from training import services as training
from training.models import Dataset, Job, Model, Tier, Work

LONG = SMALL | {"training": SMALL["training"] | {"epochs": 1_000}}
PATIENCE_SECONDS = 60


@pytest.fixture
def start_worker(committed, tmp_path):
    """Starts workers, with the clock inside, on the database and broker of the tests."""
    started = []
    name = connection.settings_dict["NAME"]
    environment = os.environ | {
        "DATABASE_URL": database_url(name),
        "DATA_DIR": str(settings.DATA_DIR),
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "CELERY_QUEUE": settings.CELERY_TASK_DEFAULT_QUEUE,
        "TRAINING_CHUNK_SECONDS": "0.3",
        "TRAINING_LEASE_SECONDS": "2",
        "LOG_LEVEL": "WARNING",
    }

    def start() -> subprocess.Popen[bytes]:
        schedule = str(tmp_path / f"schedule-{len(started)}")
        command = ["celery", "-A", "config", "worker", "-c", "2", "-B", "-s", schedule]
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=settings.BASE_DIR,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    with current_app.connection_for_write() as broker:
        broker.default_channel.queue_purge(settings.CELERY_TASK_DEFAULT_QUEUE)


def database_url(name: str) -> str:
    """The address of the tests' server, with the tests' database."""
    address = os.environ.get("DATABASE_URL") or embedded.database_url(settings.DATA_DIR)
    return urlsplit(address)._replace(path=f"/{name}").geturl()


def wait_for(row, reached, what: str):
    give_up_at = time.monotonic() + PATIENCE_SECONDS
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
    first.wait()
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
    with current_app.connection_for_write() as broker:
        broker.default_channel.queue_purge(settings.CELERY_TASK_DEFAULT_QUEUE)
    wait_for(job, is_over, "the end of the job")
    assert job.status == Work.Status.DONE
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert Dataset.objects.get().status == Work.Status.DONE


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]

"""Real Celery workers in the middle of a round, killed with SIGKILL. Slow: they really start."""

import os
import signal

from billing import services as billing
from clusters import services as clusters
from clusters.models import Contribution, Round
from tests.clusters.conftest import CONFIG, weights
from tests.clusters.test_rounds import weights_of_one_process
from tests.conftest import empty_queues, person
from tests.training.test_workers import is_over, wait_for
from training import services as training
from training.models import Work

LONG = CONFIG | {"training": CONFIG["training"] | {"epochs": 240}}


def test_a_killed_worker_and_an_emptied_broker_change_no_bit(start_worker):
    worker = start_worker()
    digits = training.add_bundled_dataset(slug="digits")
    wait_for(digits, is_over, "the reading of the digits")
    cluster = clusters.form_cluster(owner=person("bob"), name="Night shift", workers=3)
    session = clusters.train_job(
        actor=cluster.owner, cluster=cluster, dataset=digits, config=LONG, local_epochs=30, seed=3
    )
    job = session.job
    wait_for(job, lambda job: job.steps_done > 0 or job.is_over, "the first round")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.join()
    empty_queues()
    job.refresh_from_db()
    assert not job.is_over
    unfinished = session.rounds.exclude(state=Round.State.COMMITTED).get()
    lost = Contribution.objects.filter(round=unfinished, status__in=Work.OPEN)
    assert lost.exists()
    start_worker()
    wait_for(job, is_over, "the end of the training")
    assert job.status == Work.Status.DONE
    assert weights(session) == weights_of_one_process(job, shards=3, local_epochs=30)
    assert session.rounds.count() == session.rounds_total == 8
    assert job.cost_microcredits == job.quote_microcredits
    assert billing.ledger_faults() == []

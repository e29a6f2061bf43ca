"""Real SIGKILLs of workers during a job and during a search: the same bits, and all paid once.

Slow: each kill waits for the job to get on, and for the sweep that notices the loss.
"""

import os
import random
import signal
import time
from functools import partial

import pytest

from billing import services as billing
from billing.models import Transfer
from tests.conftest import SMALL, person
from tests.training.test_jobs import weights_of_one_run
from tests.training.test_searches import told
from tests.training.test_workers import PATIENCE_SECONDS, children, is_over, wait_for
from training import services as training
from training.models import Model, Tier, Work

KILLS = 20
SEED = 4
EPOCHS = 10_000
LONG_SECONDS = 300  # between two trials the workers measure the model of the first


def wait_until_it_gets_on(job):
    before = job.steps_done
    wait_for(job, lambda job: job.steps_done > before or job.is_over, "the next chunk")


def kill_something(worker, chance):
    """The whole worker, or only the child of it that computes, at any instruction."""
    time.sleep(chance.uniform(0, 0.6))
    if chance.random() < 0.5:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        return True
    for child in children(worker.pid):
        os.kill(child, signal.SIGKILL)
    return False


@pytest.mark.campaign
def test_twenty_kills_change_no_bit_and_charge_no_chunk_twice(start_worker):
    chance = random.Random(SEED)
    worker = start_worker()
    alice = person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    wait_for(digits, is_over, "preparing the data")
    before = billing.available_microcredits(alice)
    config = SMALL | {"training": SMALL["training"] | {"epochs": EPOCHS}}
    job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.NANO, seed=1)
    kills = 0
    while kills < KILLS:
        wait_until_it_gets_on(job)
        assert not job.is_over, f"the job was over after {kills} kills: {job.error_message}"
        if kill_something(worker, chance):
            worker = start_worker()
        kills += 1
    give_up_at = time.monotonic() + 10 * PATIENCE_SECONDS
    while not job.is_over and time.monotonic() < give_up_at:
        wait_until_it_gets_on(job)
    assert job.status == Work.Status.DONE
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert list(job.points.values_list("epoch", flat=True)) == list(range(1, EPOCHS + 1))

    captures = Transfer.objects.filter(hold=job.hold).order_by("pk")
    steps = [int(capture.key.rpartition("/")[2]) for capture in captures]
    assert steps == sorted(set(steps))
    paid = [
        sum(leg.amount_microcredits for leg in c.legs.all() if leg.amount_microcredits > 0)
        for c in captures
    ]
    shares = [job.quote_microcredits * step // job.steps_total for step in [0, *steps]]
    assert paid == [high - low for low, high in zip(shares, shares[1:], strict=False)]
    assert sum(paid) == job.cost_microcredits == job.quote_microcredits
    assert billing.available_microcredits(alice) == before - job.cost_microcredits
    assert billing.ledger_faults() == []


@pytest.mark.campaign
def test_kills_during_a_search_repeat_no_trial_and_charge_none_twice(start_worker):
    chance = random.Random(SEED)
    worker = start_worker()
    alice = person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    wait_for(digits, is_over, "preparing the data")
    before = billing.available_microcredits(alice)
    asked = {
        "owner": alice,
        "dataset": digits,
        "config": SMALL | {"training": SMALL["training"] | {"epochs": 200}},
        "tier": Tier.NANO,
        "space": {"training.learning_rate": {"low": 0.0001, "high": 0.05, "log": True}},
        "trials_max": 10,
        "budget_microcredits": 40_000_000,
        "seed": 3,
    }
    search = training.start_search(**asked)
    for trials_before in range(0, 10, 2):
        begun = partial(has_trials, count=trials_before + 1)
        wait_for(search, begun, "the next trial", LONG_SECONDS)
        assert not search.is_over
        if kill_something(worker, chance):
            worker = start_worker()
    wait_for(search, is_over, "the end of the search", LONG_SECONDS)
    found = list(search.trials.select_related("job__hold"))
    assert [trial.number for trial in found] == list(range(10))
    assert all(trial.job.cost_microcredits == trial.job.quote_microcredits for trial in found)
    spent = sum(trial.job.hold.captured_microcredits for trial in found)
    assert spent == sum(trial.job.cost_microcredits for trial in found)
    assert billing.available_microcredits(alice) == before - spent
    assert billing.ledger_faults() == []
    again = training.start_search(**asked)
    wait_for(again, is_over, "the same search without kills", LONG_SECONDS)
    assert told(again) == told(search)


def has_trials(search, count):
    return search.is_over or search.trials.count() >= count

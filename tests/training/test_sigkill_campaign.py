"""Real SIGKILLs of workers during a job and during a search: the same bits, and all paid once.

Slow: each kill waits for the job to get on, and for the sweep that notices the loss.
"""

import os
import random
import signal
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from billing import services as billing
from tests.conftest import SMALL, person
from tests.training.test_jobs import weights_of_one_run
from tests.training.test_searches import told
from tests.training.test_workers import (
    PATIENCE_SECONDS,
    captured,
    children,
    is_over,
    price,
    wait_for,
)
from training import services as training
from training.models import Model, Tier, Work

KILLS = 20
SEED = 4
EPOCHS = 8_000
BATCH_SIZE = 10  # so that twenty kills fall within the job, however fast the machine gets on
LONG_SECONDS = 300  # between two trials the workers measure the model of the first


def wait_until_it_gets_on(job):
    before = job.steps_done
    wait_for(job, lambda job: job.steps_done > before or job.is_over, "the next chunk")


def wait_until_it_is_held(job):
    """A worker may need long to follow a hint on a busy machine, and nothing computes meanwhile."""
    wait_for(job, lambda job: job.lease_until or job.is_over, "the claim of the next chunk")


@dataclass(frozen=True)
class Kill:
    """`is_within_chunk` is true only of a chunk that was claimed before and never committed."""

    is_whole_worker: bool
    step: int
    is_within_chunk: bool


def kill_something(worker, chance):
    """The whole worker, or only the children of it that compute, at any instruction. True where
    the whole is gone.
    """
    found = children(worker.pid)
    assert found, "the worker had no children to kill"
    is_whole = chance.random() < 0.5
    if is_whole:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.join()
    else:
        for child in found:
            os.kill(child, signal.SIGKILL)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while alive := [child for child in found if is_alive(child)]:
        assert time.monotonic() < give_up_at, f"{alive} outlived SIGKILL"
        time.sleep(0.01)
    return is_whole


def is_alive(pid):
    """Whether this process computes; one that is dead and not yet buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def kill_during(job, worker, chance):
    time.sleep(chance.uniform(0, 0.6))
    before = held(job)
    is_whole = kill_something(worker, chance)
    after = held(job)
    return Kill(is_whole, job.steps_done, is_within_chunk=after == before and before.is_held)


@dataclass(frozen=True)
class Held:
    attempt: int
    step: int
    is_held: bool


def held(job):
    job.refresh_from_db()
    return Held(job.attempt, job.steps_done, job.lease_until is not None)


@pytest.mark.campaign
def test_twenty_kills_change_no_bit_and_charge_no_chunk_twice(start_worker):
    chance = random.Random(SEED)
    worker = start_worker()
    alice = person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    wait_for(digits, is_over, "preparing the data")
    before = billing.available_microcredits(alice)
    sizes = {"epochs": EPOCHS, "batch_size": BATCH_SIZE}
    config = SMALL | {"training": SMALL["training"] | sizes}
    job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.MINI, seed=1)
    kills = []
    while len(kills) < KILLS:
        wait_until_it_gets_on(job)
        wait_until_it_is_held(job)
        assert not job.is_over, f"the job was over after {len(kills)} kills: {job.error_message}"
        kills.append(kill_during(job, worker, chance))
        if kills[-1].is_whole_worker:
            worker = start_worker()
    give_up_at = time.monotonic() + 3 * PATIENCE_SECONDS
    while not job.is_over and time.monotonic() < give_up_at:
        wait_until_it_gets_on(job)
    assert job.status == Work.Status.DONE, job.error_message
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert list(job.points.values_list("epoch", flat=True)) == list(range(1, EPOCHS + 1))

    # They fell all along the job, on workers and on children, and mostly while these computed.
    assert len({kill.step for kill in kills}) == KILLS
    assert {kill.is_whole_worker for kill in kills} == {True, False}
    within = sum(kill.is_within_chunk for kill in kills)
    assert within >= KILLS // 2, kills

    # An attempt ended with a chunk that is paid, or was cut off and is not.
    assert job.attempt - check_price(job) >= within
    assert billing.available_microcredits(alice) == before - job.cost_microcredits
    assert billing.ledger_faults() == []


def check_price(job):
    """Each chunk was paid once, and all of them are the price; how many they were."""
    steps, paid = captured(job)
    assert steps == sorted(set(steps))
    assert paid == [price(job, high) - price(job, low) for low, high in pairwise([0, *steps])]
    assert sum(paid) == job.cost_microcredits == job.quote_microcredits
    return len(steps)


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
        time.sleep(chance.uniform(0, 0.6))
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

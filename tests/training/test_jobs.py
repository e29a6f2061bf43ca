"""What a person may expect of a job."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import services as billing
from governance.models import AuditEntry
from governance.services import NotAllowed, Refusal
from kernels import build, trainer
from kernels import config as kernel_config
from kernels.data import DataShape, TrainingData
from tests.conftest import SMALL
from training import services as training
from training.models import NAME_LENGTH_MAX, Dataset, Job, Model, Tier, Work
from training.runner import blobs, chunks, leases, tiers
from training.runner.rows import Part, pack, unpack


def weights_of_one_run(job):
    """The same run in one piece, without jobs, chunks or checkpoints: what it must come to."""
    rows = unpack(blobs.get(job.dataset.sha256))
    train, validation = rows.only(Part.TRAIN), rows.only(Part.VALIDATION)
    config = kernel_config.parse(job.config, DataShape.table(64, 10))
    data = TrainingData(train.features, train.targets, validation.features, validation.targets)
    run = trainer.Trainer(config, data, seed=job.seed, module=build.module())
    for _ in run.run():
        pass
    return run.weights_sha256()


def test_alice_trains_a_model_and_pays_at_most_the_quote(job, alice):
    before = billing.available_microcredits(alice)
    quote = training.quote_job(dataset=job.dataset, config=SMALL, tier=Tier.NANO)
    assert (job.memory_bytes, job.flops) == (quote.memory_bytes, quote.flops)
    chunks.run_turn()
    job.refresh_from_db()
    assert all(use.is_within for use in training.tier_use(job=job).values())
    model = Model.objects.get(job=job)
    assert (job.status, job.steps_done) == (Work.Status.DONE, job.steps_total)
    assert job.cost_microcredits == job.quote_microcredits
    assert billing.available_microcredits(alice) == before  # what was held is what was used
    assert model.weights_sha256 == weights_of_one_run(job)
    assert job.points.count() == 12
    assert job.points.last().validation_metric > 0.9
    assert billing.ledger_faults() == []


def test_a_job_in_many_chunks_comes_to_the_same_bits(job, settings):
    settings.TRAINING_CHUNK_SECONDS = 0.0001
    chunks_done = 0
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
        chunks_done += 1
    assert chunks_done >= 5
    assert Model.objects.get(job=job).weights_sha256 == weights_of_one_run(job)
    assert job.checkpoints.count() == chunks.CHECKPOINTS_KEPT
    assert [point.epoch for point in job.points.all()] == list(range(1, 13))


def test_a_chunk_is_longer_where_more_is_to_be_done_beside_it(job, settings):
    settings.TRAINING_CHUNK_SECONDS = 2.0
    assert [chunks.chunk_seconds(overhead) for overhead in (0.0, 1.0, 60.0)] == [2.0, 4.0, 30.0]
    settings.TRAINING_CHUNK_SECONDS = 1e-6  # so that no machine is done in one
    chunks.run_turn()
    job.refresh_from_db()
    assert job.overhead_seconds > 0


def test_another_seed_gives_other_weights(alice, digits):
    hashes = set()
    for seed in (1, 2):
        job = training.submit_job(
            owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO, seed=seed
        )
        chunks.run_turn()
        hashes.add(Model.objects.get(job=job).weights_sha256)
    assert len(hashes) == 2


def test_a_job_is_named_after_data_with_the_longest_name(alice, digits):
    digits.name = "n" * NAME_LENGTH_MAX
    digits.save(update_fields=["name"])
    job = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    assert len(job.name) == NAME_LENGTH_MAX
    assert job.name.endswith("nn, 2,410 parameters")


def test_a_job_that_is_leased_is_not_done_twice(job):
    assert leases.claim(Job, str(job.pk)) is not None
    assert leases.claim(Job, str(job.pk)) is None
    chunks.run_turn()
    assert not Model.objects.exists()


def test_a_worker_whose_job_alice_cancelled_says_so_in_plain_words(alice, job):
    claimed = leases.claim(Job, str(job.pk))
    training.cancel_job(actor=alice, job=job)
    chunks.do_chunk(claimed)
    assert job.events.first().message.startswith("The worker stopped; what was computed since")


def test_a_worker_that_was_thought_dead_changes_nothing(job):
    first = leases.claim(Job, str(job.pk))
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    second = leases.claim(Job, str(job.pk))
    assert (first.attempt, second.attempt) == (1, 2)
    with pytest.raises(leases.LeaseLost):
        leases.write(first, steps_done=5)
    job.refresh_from_db()
    assert job.steps_done == 0


def test_a_job_that_kills_its_workers_is_quarantined(job):
    for _ in range(leases.LOST_LEASES_MAX):
        assert leases.claim(Job, str(job.pk)) is not None
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.QUARANTINED, "poison")
    assert "the worker died or stood still without a word" in job.error_message
    assert job.hold.state == "closed"


def test_alice_cancels_and_gets_back_what_was_not_used(job, alice, settings):
    before = billing.available_microcredits(alice) + job.quote_microcredits
    settings.TRAINING_CHUNK_SECONDS = 0.0
    for _ in range(3):
        chunks.run_turn()
    training.cancel_job(actor=alice, job=job)
    job.refresh_from_db()
    assert 0 < job.steps_done < job.steps_total
    assert job.cost_microcredits == job.quote_microcredits * job.steps_done // job.steps_total
    assert billing.available_microcredits(alice) == before - job.cost_microcredits
    chunks.run_turn()
    job.refresh_from_db()
    assert job.status == Work.Status.CANCELLED


def test_a_job_cancelled_while_a_worker_computes_stays_cancelled(job, alice):
    claimed = chunks.claim(str(job.pk))
    run = chunks.start(claimed)
    points = list(run.run())
    training.cancel_job(actor=alice, job=job)
    with pytest.raises(leases.LeaseLost):
        chunks.commit_model(claimed, run, points=points, seconds=1.0)
    job.refresh_from_db()
    assert (job.status, job.cost_microcredits) == (Work.Status.CANCELLED, 0)
    assert not Model.objects.exists()


def test_a_network_that_diverges_fails_once_and_says_why(alice, digits):
    wild = SMALL | {"training": SMALL["training"] | {"optimizer": "sgd", "learning_rate": 1.0}}
    wild = wild | {"architecture": deep_linear()}
    job = training.submit_job(owner=alice, dataset=digits, config=wild, tier=Tier.NANO)
    before = billing.available_microcredits(alice)
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.FAILED, "non_finite")
    assert "lower the learning rate" in job.error_message
    assert billing.available_microcredits(alice) > before


def test_a_model_that_overflows_on_its_own_rows_ends_its_job(alice, digits):
    rows = unpack(blobs.get(digits.sha256))
    features = rows.features.copy()
    features[rows.numbers(Part.VALIDATION)[3]] = np.finfo(np.float32).max
    digits.sha256 = blobs.put(pack(dataclasses.replace(rows, features=features)))
    digits.save(update_fields=["sha256"])
    network = {"type": "autoencoder", "layers": [{"type": "dense", "units": 8}]}
    config = SMALL | {"architecture": network}
    job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.NANO)
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Work.Status.FAILED, "non_finite")


def deep_linear():
    hidden = {"type": "hidden", "params": {"size": 64, "activation": "linear"}}
    return {"type": "feedforward", "layers": [hidden] * 6}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"architecture": {"type": "perceptron", "layers": []}}, "architecture.type"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": {"epochs": True}}, "training.epochs"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_by_path(alice, digits, change, path):
    with pytest.raises(training.InvalidConfig) as refusal:
        training.submit_job(owner=alice, dataset=digits, config=SMALL | change, tier=Tier.NANO)
    assert path in [entry["field"] for entry in refusal.value.invalid_parameters]
    assert not Job.objects.exists()


def test_a_layer_that_is_unknown_is_named_by_its_path(alice, digits):
    layers = [{"type": "dense", "units": 5}, {"type": "dens", "units": 5}]
    config = SMALL | {"architecture": {"type": "feedforward", "layers": layers}}
    with pytest.raises(training.InvalidConfig) as refusal:
        training.quote_job(dataset=digits, config=config, tier=Tier.NANO)
    assert "architecture.layers[1].type: 'dens' is not known; did you mean" in str(refusal.value)


def test_nobody_trains_on_rows_of_somebody_else(alice, bob, digits):
    Dataset.objects.update(owner=bob)
    digits.refresh_from_db()
    asked = {"dataset": digits, "config": SMALL, "tier": Tier.NANO}
    assert training.submit_job(owner=bob, **asked)
    with pytest.raises(NotAllowed, match="not yours"), transaction.atomic():
        training.submit_job(owner=alice, **asked)


def test_a_job_that_needs_more_memory_than_its_tier_has_is_told_how_much(alice, digits):
    batch = SMALL | {"training": SMALL["training"] | {"batch_size": 1257}}
    layers = [{"type": "hidden", "params": {"size": 64, "activation": "relu"}}] * 40
    deep = batch | {"architecture": {"type": "feedforward", "layers": layers}}
    with pytest.raises(training.TierTooSmall, match=r"allows .*128 MB of memory"):
        training.quote_job(dataset=digits, config=deep, tier=Tier.NANO)


def test_the_kind_of_network_says_what_a_job_is_for(alice, digits):
    code = [{"type": "dense", "units": 5}]
    for architecture, category, metric in (
        ({"type": "gan", "layers": code}, "generative", "real_taken_for_real"),
        ({"type": "autoencoder", "layers": code}, "anomaly", "mean_absolute_error"),
        (
            {"type": "autoencoder", "layers": code, "variational": True},
            "generative",
            "mean_absolute_error",
        ),
        (SMALL["architecture"], "classification", "accuracy"),
    ):
        config = SMALL | {"architecture": architecture}
        job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.NANO)
        assert (job.category, job.metric) == (category, metric)


def test_a_job_that_needs_too_much_memory_is_told_which_batch_would_fit(alice, digits, monkeypatch):
    hidden = [{"type": "dense", "units": 400}] * 20
    config = SMALL | {
        "architecture": {"type": "feedforward", "layers": hidden},
        "training": SMALL["training"] | {"batch_size": 1_000, "epochs": 1},
    }
    small = dataclasses.replace(tiers.TIERS[Tier.MEDIUM], memory_bytes=70 * 2**20)
    monkeypatch.setitem(tiers.TIERS, Tier.MEDIUM, small)
    with pytest.raises(training.TierTooSmall, match=r"or take training.batch_size \d+") as refused:
        training.quote_job(dataset=digits, config=config, tier=Tier.MEDIUM)
    config["training"]["batch_size"] = int(str(refused.value).split()[-1].rstrip("."))
    assert 1 < config["training"]["batch_size"] < 1_000
    training.quote_job(dataset=digits, config=config, tier=Tier.MEDIUM)


def test_a_job_that_stops_early_is_done_and_costs_what_it_did(alice, digits):
    config = SMALL | {
        "training": SMALL["training"] | {"epochs": 300, "patience": 2, "learning_rate": 0.05}
    }
    job = training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.NANO)
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    assert job.status == Job.Status.DONE
    assert 0 < job.steps_done < job.steps_total
    assert job.progress == 1
    assert 0 < job.cost_microcredits < job.quote_microcredits
    assert job.cost_microcredits == job.quote_microcredits * job.steps_done // job.steps_total


def test_a_job_too_large_for_its_tier_is_told_which_would_do(alice, digits):
    hidden = {"type": "hidden", "params": {"size": 2_000, "activation": "relu"}}
    large = SMALL | {"architecture": {"type": "feedforward", "layers": [hidden]}}
    with pytest.raises(training.TierTooSmall, match="choose mini"):
        training.quote_job(dataset=digits, config=large, tier=Tier.NANO)


def test_without_credits_nothing_is_queued(mallory, digits):
    billing.hold(
        owner=mallory,
        amount_microcredits=billing.available_microcredits(mallory),
        key="all of it",
        reason="spent elsewhere",
    )
    with pytest.raises(billing.InsufficientCredits), transaction.atomic():
        training.submit_job(owner=mallory, dataset=digits, config=SMALL, tier=Tier.NANO)
    assert not Job.objects.exists()


def test_mallory_cannot_cancel_the_job_of_alice(job, mallory):
    with pytest.raises(Refusal):
        training.cancel_job(actor=mallory, job=job)
    job.refresh_from_db()
    assert job.status == Work.Status.QUEUED


@pytest.mark.parametrize(
    "change",
    [
        {"steps_done": 10**9},
        {"cost_microcredits": 10**12},
        {"status": Work.Status.DONE},
    ],
)
def test_the_database_refuses_a_job_that_cannot_be(job, change):
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**change)


def test_who_submitted_is_written_down(job, alice):
    entry = AuditEntry.objects.get(verb="submit_job")
    assert (entry.actor, entry.subject_id) == (alice, str(job.pk))


@pytest.mark.parametrize("status", Work.OPEN)
def test_what_is_over_stays_over(job, alice, status):
    training.cancel_job(actor=alice, job=job)
    with pytest.raises(IntegrityError, match="stays over"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(status=status)


def test_a_model_its_curve_and_its_measurements_are_never_changed(model):
    rows = (model, model.job.points.first(), model.validations.get())
    for row in rows:
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            row.save()


def test_a_job_that_gets_on_between_losses_is_no_poison(job, settings):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    for _ in range(leases.LOST_LEASES_MAX + 1):
        assert leases.claim(Job, str(job.pk)) is not None
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.lost_leases) == (Work.Status.RUNNING, 0)


def test_a_fault_of_ours_is_told_to_the_owner(job, monkeypatch):
    monkeypatch.setenv("KERNELS_DIR", "/dev/null/kernels")  # as where a disk is full
    for _ in range(leases.LOST_LEASES_MAX):
        with pytest.raises(NotADirectoryError):
            chunks.run_turn()
        job.refresh_from_db()
        assert f"our log has it as {job.pk}." in job.error_message
        assert "kernels" not in job.error_message  # what the fault says is ours to read
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    chunks.run_turn()
    job.refresh_from_db()
    assert job.status == Work.Status.QUARANTINED
    assert f"our log has it as {job.pk}. It was taken out of the queue" in job.error_message


def test_what_went_wrong_once_is_forgotten_when_it_goes_well(job, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(NotADirectoryError):
        patch.setenv("KERNELS_DIR", "/dev/null/kernels")
        chunks.run_turn()
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    chunks.run_turn()
    job.refresh_from_db()
    assert (job.status, job.error_message) == (Work.Status.DONE, "")

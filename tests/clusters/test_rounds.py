"""What a cluster comes to, whatever happens to the workers that do its work."""

import hashlib
import random
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone

from billing import services as billing
from clusters import services as clusters
from clusters.models import Cluster, Contribution, Node, Round
from clusters.runner import contributions, sweeps
from governance.models import AuditEntry
from kernels import build, modelfile, philox, trainer
from kernels import config as kernel_config
from kernels.data import DataShape, TrainingData
from tests.clusters.conftest import CONFIG, until, waiting, weights, work_off
from tests.training.test_dataset_races import stopped_at_a_lock
from training import services as training
from training.models import Job, Model, Work
from training.runner import blobs
from training.runner.rows import Part, unpack

Kind = Contribution.Kind


def weights_of_one_process(job, *, shards, local_epochs=1, variant="simd"):
    """Federated averaging as a textbook writes it: one loop, no rows, no tasks, no nodes."""
    rows = unpack(blobs.get(job.dataset.sha256))
    train, validation = rows.only(Part.TRAIN), rows.only(Part.VALIDATION)
    config = kernel_config.parse(job.config, DataShape.table(64, 10))
    module = build.module(variant)

    def run_on(chosen, seed):
        data = TrainingData(
            train.features[chosen], train.targets[chosen], validation.features, validation.targets
        )
        return trainer.Trainer(config, data, seed=seed, module=module)

    everything = run_on(np.arange(len(train)), job.seed)
    signature = modelfile.Signature(
        tuple(job.dataset.features), tuple(job.dataset.classes), tuple(job.dataset.image_shape)
    )
    state = modelfile.load(everything.export(signature, {}))
    order = np.argsort(
        philox.words24(philox.stream(job.seed, philox.Purpose.SHUFFLE), 0, len(train)),
        kind="stable",
    )
    size = len(train) // shards
    for number in range(1, config.training.epochs // local_epochs + 1):
        found = []
        for shard in range(shards):
            text = f"{job.seed}/{number}/{shard}".encode()
            seed = int.from_bytes(hashlib.sha256(text).digest()[:8], "little")
            run = run_on(order[shard * size : (shard + 1) * size], seed)
            run.adopt(state)
            list(run.run(steps=local_epochs * (size // config.training.batch_size)))
            found.append(run.weights())
        means = {
            name: np.mean([one[name].astype(np.float64) for one in found], axis=0)
            for name in state.weights
        }
        averaged = {name: value.astype(np.float32) for name, value in means.items()}
        state = replace(state, arrays={**state.arrays, **averaged})
    return modelfile.weights_sha256(state.weights)


@pytest.mark.parametrize(("workers", "local_epochs"), [(1, 1), (3, 1), (4, 2)])
def test_a_cluster_comes_to_the_bits_of_one_process(bob, train, workers, local_epochs):
    cluster = clusters.form_cluster(owner=bob, name="Star", workers=workers)
    session = train(cluster, seed=5, local_epochs=local_epochs)
    work_off(session)
    assert session.job.status == Work.Status.DONE
    assert weights(session) == weights_of_one_process(
        session.job, shards=workers, local_epochs=local_epochs
    )


def test_the_order_of_arrival_changes_no_bit(bob, train):
    found = set()
    for seed in range(3):
        cluster = clusters.form_cluster(owner=bob, name=f"Star {seed}", workers=3)
        session = train(cluster, seed=5)
        work_off(session, order=random.Random(seed))
        found.add((weights(session), session.rounds.last().result_sha256))
    assert len(found) == 1


def test_nodes_without_simd_come_to_the_same_bits(bob, train, cluster):
    slow = clusters.form_cluster(owner=bob, name="Slow", workers=3, wasm_optimization=False)
    sessions = [train(one, seed=5) for one in (cluster, slow)]
    for session in sessions:
        work_off(session)
    assert weights(sessions[0]) == weights(sessions[1])


def test_another_seed_gives_other_weights(bob, train, cluster):
    first = train(cluster, seed=1)
    work_off(first)
    second = train(cluster, seed=2)
    work_off(second)
    assert weights(first) != weights(second)


def test_a_killed_worker_costs_time_and_no_bit(train, cluster):
    session = train(cluster, seed=5)
    lost = until(session, Kind.TRAIN, part=1)
    dead = training.claim(Contribution, str(lost.pk))  # and nothing was heard of it again
    work_off(session)
    assert session.rounds.get().state == Round.State.COLLECTING
    Contribution.objects.filter(pk=lost.pk).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )
    contributions.contribute(str(lost.pk))
    work_off(session)
    lost.refresh_from_db()
    assert (lost.attempt, lost.lost_leases) == (dead.attempt + 1, 1)
    assert weights(session) == weights_of_one_process(session.job, shards=3)


def test_what_comes_too_late_counts_for_nothing(train, cluster):
    session = train(cluster, seed=5)
    slow = training.claim(Contribution, str(until(session, Kind.TRAIN).pk))
    Contribution.objects.filter(pk=slow.pk).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )
    contributions.contribute(str(slow.pk))
    with pytest.raises(training.LeaseLost):
        contributions.submit(slow, contributions.train(slow), compute_seconds=99.0)
    work_off(session)
    assert weights(session) == weights_of_one_process(session.job, shards=3)


def test_a_message_that_is_delivered_twice_is_one_contribution(train, cluster):
    session = train(cluster, seed=5)
    while queue := waiting(session):
        for contribution in [*queue, *queue]:
            contributions.contribute(str(contribution.pk))
    session.job.refresh_from_db()
    assert weights(session) == weights_of_one_process(session.job, shards=3)
    assert session.job.cost_microcredits == session.job.quote_microcredits
    assert billing.ledger_faults() == []


def test_work_that_kills_its_workers_ends_the_job_and_gives_the_credits_back(bob, train, cluster):
    before = billing.available_microcredits(bob)
    session = train(cluster)
    deadly = until(session, Kind.TRAIN)
    for _ in range(5):
        assert training.claim(Contribution, str(deadly.pk))
        Contribution.objects.filter(pk=deadly.pk).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
    contributions.contribute(str(deadly.pk))
    session.job.refresh_from_db()
    cluster.refresh_from_db()
    assert (session.job.status, session.job.error_code) == (Work.Status.FAILED, "poison")
    assert session.rounds.get().state == Round.State.ABORTED
    assert cluster.state == Cluster.State.CONNECTED
    assert billing.available_microcredits(bob) == before


def test_a_cancelled_job_ends_its_round_and_frees_the_cluster(bob, train, cluster):
    session = train(cluster)
    until(session, Kind.TRAIN)
    training.cancel_job(actor=bob, job=session.job)
    work_off(session)
    assert session.rounds.get().state == Round.State.ABORTED
    assert waiting(session) == []
    assert session.cluster.state == Cluster.State.CONNECTED
    assert not Model.objects.exists()


def test_training_that_diverges_fails_and_says_why(bob, train, cluster):
    before = billing.available_microcredits(bob)
    wild = CONFIG | {"training": CONFIG["training"] | {"learning_rate": 10.0, "optimizer": "sgd"}}
    session = train(cluster, config=wild)
    work_off(session)
    assert (session.job.status, session.job.error_code) == (Work.Status.FAILED, "non_finite")
    assert "lower the learning rate" in session.job.error_message
    assert billing.available_microcredits(bob) == before - session.job.cost_microcredits


def test_bob_pays_by_the_round_and_never_more_than_the_quote(bob, train, cluster):
    before = billing.available_microcredits(bob)
    session = train(cluster)
    quote = session.job.quote_microcredits
    assert billing.available_microcredits(bob) == before - quote
    until(session, Kind.VERIFY)
    work_off(session, most=1)
    assert session.job.cost_microcredits == quote // 4
    work_off(session)
    assert session.job.cost_microcredits == quote
    assert billing.available_microcredits(bob) == before - quote
    assert billing.ledger_faults() == []


def test_curves_and_bytes_are_measured_round_by_round(train, cluster):
    session = train(cluster)
    work_off(session)
    points = list(session.job.points.all())
    rounds = list(session.rounds.all())
    assert [point.epoch for point in points] == [1, 2, 3, 4]
    assert points[-1].validation_metric == rounds[-1].validation_accuracy > 0.85
    for round in rounds:
        files = [
            len(blobs.get(part.sha256)) for part in round.contributions.filter(kind=Kind.TRAIN)
        ]
        assert round.up_bytes == sum(files)
        assert round.down_bytes == 4 * len(blobs.get(round.base_sha256))  # 3 workers, 1 validator


def test_each_round_begins_where_the_last_one_ended_and_files_name_their_origins(train, cluster):
    session = train(cluster)
    work_off(session)
    rounds = list(session.rounds.all())
    assert [round.base_sha256 for round in rounds[1:]] == [
        round.result_sha256 for round in rounds[:-1]
    ]
    origin = modelfile.load(blobs.get(Model.objects.get(job=session.job).sha256)).provenance
    assert origin["base"] == rounds[-1].base_sha256
    trained = rounds[-1].contributions.filter(kind=Kind.TRAIN).order_by("part")
    assert origin["mean_of"] == [part.sha256 for part in trained]


# Dishonest nodes


def forge(work, session):
    """mallory's node takes no step: it hands in the state it was given, slightly changed."""
    claimed = training.claim(Contribution, str(work.pk))
    base = modelfile.load(blobs.get(claimed.round.base_sha256))
    forged = {name: array + np.float32(0.01) for name, array in base.weights.items()}
    content = modelfile.dump(replace(base, arrays={**base.arrays, **forged}))
    contributions.submit(claimed, contributions.Found(content=content), compute_seconds=0.001)


def lie_until_caught(session, shard):
    """The node of this shard lies in every round, until the beacon points at it."""
    while not Contribution.objects.filter(is_excluded=True).exists():
        lie = until(session, Kind.TRAIN, part=shard)
        if lie.status == Work.Status.QUEUED:
            forge(lie, session)
        work_off(session, most=1)
    return Contribution.objects.get(is_excluded=True)


def test_a_node_that_lies_is_caught_by_the_validator_and_excluded(bob, train, cluster):
    session = train(cluster, config=CONFIG | {"training": CONFIG["training"] | {"epochs": 8}})
    caught = lie_until_caught(session, shard=1)
    liar = Node.objects.get(pk=caught.node_id)
    assert (caught.part, liar.state, liar.shard) == (1, Node.State.DISTRUSTED, None)
    assert AuditEntry.objects.filter(verb="distrust_node", subject_id=str(liar.pk)).exists()

    work_off(session)
    round = caught.round
    round.refresh_from_db()
    assert round.state == Round.State.COMMITTED
    honest = round.contributions.filter(kind=Kind.TRAIN, is_excluded=False).order_by("part")
    origin = modelfile.load(blobs.get(round.result_sha256)).provenance
    assert origin["mean_of"] == [part.sha256 for part in honest]
    assert [part.part for part in honest] == [0, 2]

    later = Contribution.objects.filter(kind=Kind.TRAIN, round__number__gt=round.number)
    assert not later.filter(node=liar).exists()
    assert later.filter(part=1).exists()  # its rows were given to another
    assert session.job.status == Work.Status.DONE
    assert session.job.cost_microcredits < session.job.quote_microcredits  # lies are not paid
    assert billing.ledger_faults() == []


def test_when_nobody_honest_is_left_the_job_fails(bob, train):
    cluster = clusters.form_cluster(owner=bob, name="Alone", workers=1)
    session = train(cluster)
    lie_until_caught(session, shard=0)
    work_off(session)
    assert (session.job.status, session.job.error_code) == (Work.Status.FAILED, "no_honest_nodes")
    assert billing.ledger_faults() == []


def test_honest_nodes_are_never_accused(train, cluster):
    session = train(cluster, config=CONFIG | {"training": CONFIG["training"] | {"epochs": 9}})
    work_off(session, order=random.Random(1))
    checks = Contribution.objects.filter(kind=Kind.VERIFY)
    assert checks.count() == 9
    assert all(check.sha256 == check.subject.sha256 for check in checks)
    assert not cluster.nodes.filter(state=Node.State.DISTRUSTED).exists()
    assert {check.subject.part for check in checks} == {0, 1, 2}  # the beacon spares nobody


def files_of(session):
    """The hashes of what its rounds made, and those of them that are still stored."""
    made = Contribution.objects.filter(round__session=session).exclude(kind=Kind.VERIFY)
    hashes = set(made.values_list("sha256", flat=True))
    return hashes, {sha256 for sha256 in hashes if blobs.default_storage.exists(blobs.name(sha256))}


def test_files_of_old_rounds_are_forgotten_but_those_that_answer(bob, train, cluster, settings):
    session = train(cluster, seed=5)
    work_off(session)
    sweeps.forget_files()
    hashes, stored = files_of(session)
    assert stored == hashes
    Job.objects.update(finished_at=timezone.now() - timedelta(days=settings.RETENTION_DAYS + 1))
    sweeps.forget_files()
    last = session.rounds.last()
    answering = set(last.contributions.values_list("sha256", flat=True))
    assert files_of(session)[1] == answering
    row = [0.0] * 64
    assert clusters.predict(
        user=bob, cluster=cluster, row=row, aggregation=clusters.Aggregation.MEAN
    ).label
    clusters.terminate_cluster(actor=bob, cluster=cluster)
    sweeps.forget_files()
    model = Model.objects.get(job=session.job)
    assert files_of(session)[1] == {model.sha256}  # the last average is the model
    assert not sweeps.forgettable().exists()


def test_a_file_that_another_session_made_too_is_kept_for_it(bob, train, cluster, settings):
    twin = clusters.form_cluster(owner=bob, name="Twin", workers=3)
    sessions = [train(one, seed=5) for one in (cluster, twin)]
    for session in sessions:
        work_off(session)
    assert files_of(sessions[0])[0] == files_of(sessions[1])[0]
    Job.objects.filter(pk=sessions[0].job.pk).update(
        finished_at=timezone.now() - timedelta(days=settings.RETENTION_DAYS + 1)
    )
    sweeps.forget_files()
    hashes, stored = files_of(sessions[1])
    assert stored == hashes


@pytest.mark.django_db(transaction=True)
def test_a_cluster_ends_although_its_job_was_cancelled_at_the_same_moment(bob, train, cluster):
    session = train(cluster, seed=5)
    with transaction.atomic():
        training.cancel_job(actor=bob, job=session.job)
        ending = stopped_at_a_lock(partial(clusters.terminate_cluster, actor=bob, cluster=cluster))
    ending.join(timeout=10)
    cluster.refresh_from_db()
    assert cluster.is_over
    assert session.rounds.get().state == Round.State.ABORTED

"""What people may ask of clusters, and how they are refused."""

import pytest

from billing import services as billing
from clusters import services as clusters
from clusters.models import Architecture, Cluster, Consensus, Contribution, Node, Round, Topology
from governance.models import AuditEntry
from governance.services import Refusal
from tests.clusters.conftest import CONFIG, until, waiting, work_off
from training import services as training
from training.models import Tier, Work
from training.runner import datasets

Aggregation = clusters.Aggregation


def test_a_star_comes_with_its_centre_and_a_validator(cluster, bob):
    roles = [(node.number, node.role, node.state) for node in cluster.nodes.all()]
    assert roles == [
        (1, "parameter_server", "connected"),
        (2, "validator", "connected"),
        (3, "worker", "connected"),
        (4, "worker", "connected"),
        (5, "worker", "connected"),
    ]
    assert [node.shard for node in cluster.nodes.all()] == [None, None, 0, 1, 2]
    assert cluster.state == Cluster.State.CONNECTED
    verbs = set(AuditEntry.objects.filter(actor=bob).values_list("verb", flat=True))
    assert {"form_cluster", "deploy_node", "connect_nodes"} <= verbs


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"topology": Topology.MESH}, "topology: 'mesh' is not available; choose one of: star."),
        (
            {"architecture": Architecture.CNN},
            "architecture: 'cnn' is not available; choose one of: feedforward.",
        ),
        (
            {"consensus": Consensus.RAFT},
            "consensus: 'raft' is not available; choose one of: proof-of-learning.",
        ),
        ({"daa_enabled": True}, "daa_enabled: autonomous agents are not available"),
    ],
)
def test_what_is_not_real_is_refused_with_what_is(bob, asked, answer):
    with pytest.raises(clusters.NotAvailable) as refusal:
        clusters.form_cluster(owner=bob, name="Wish", **asked)
    assert str(refusal.value).startswith(answer)
    assert not Cluster.objects.exists()


def test_a_star_has_one_centre_and_no_aggregators(bob, cluster):
    for role in (Node.Role.PARAMETER_SERVER, Node.Role.AGGREGATOR):
        with pytest.raises(clusters.NotAvailable, match="choose one of: worker, validator"):
            clusters.deploy_node(actor=bob, cluster=cluster, role=role)


def test_a_cluster_has_room_for_64_nodes(bob, cluster):
    for number in range(cluster.nodes.count() + 1, clusters.NODES_MAX + 1):
        Node.objects.create(cluster=cluster, number=number, role=Node.Role.WORKER)
    with pytest.raises(Refusal, match="at most 64"):
        clusters.deploy_node(actor=bob, cluster=cluster)


def test_without_workers_there_is_nothing_to_connect(bob):
    empty = clusters.form_cluster(owner=bob, name="Empty")
    assert empty.state == Cluster.State.INITIALIZING
    with pytest.raises(clusters.NotConnected, match="deploy one first"):
        clusters.connect_nodes(actor=bob, cluster=empty)


def test_a_node_that_is_deployed_later_takes_part_in_the_next_training(bob, cluster, train):
    node = clusters.deploy_node(actor=bob, cluster=cluster)
    session = train(cluster)
    node.refresh_from_db()
    assert (node.state, node.shard, session.shards) == (Node.State.CONNECTED, 3, 4)
    work_off(session)
    node.refresh_from_db()
    assert node.heartbeat_at is not None
    assert node.steps_per_second > 0


def test_a_cluster_trains_one_job_at_a_time(bob, cluster, train):
    train(cluster)
    with pytest.raises(clusters.NotConnected, match="is training; wait for its end or cancel"):
        train(cluster)
    with pytest.raises(clusters.NotConnected, match="is training"):
        clusters.deploy_node(actor=bob, cluster=cluster)


def test_rounds_that_do_not_fill_the_epochs_are_refused_and_nothing_is_held(bob, cluster, train):
    before = billing.available_microcredits(bob)
    with pytest.raises(training.InvalidConfig, match="local_epochs: 3 does not divide the 4"):
        train(cluster, local_epochs=3)
    cluster.refresh_from_db()
    assert cluster.state == Cluster.State.CONNECTED
    assert billing.available_microcredits(bob) == before


@pytest.mark.parametrize(
    ("training_changes", "divergent", "path"),
    [
        ({"schedule": {"kind": "cosine"}}, None, "training.schedule"),
        ({"patience": 3}, None, "training.patience"),
        ({"dynamic_batch": 4}, None, "training.dynamic_batch"),
        ({}, "quantum", "divergent.pattern"),
    ],
)
def test_what_remembers_epochs_is_refused_since_rounds_begin_anew(
    cluster, train, training_changes, divergent, path
):
    config = CONFIG | {"training": CONFIG["training"] | training_changes}
    if divergent:
        config |= {"divergent": {"enabled": True, "pattern": divergent, "factor": 0.3}}
    with pytest.raises(training.InvalidConfig, match=f"{path}: hangs on the epochs before"):
        train(cluster, config=config)


def test_a_configuration_that_cannot_be_trained_names_its_fault(cluster, train):
    bad = CONFIG | {"training": CONFIG["training"] | {"optimizer": "lion"}}
    with pytest.raises(training.InvalidConfig, match=r"training\.optimizer"):
        train(cluster, config=bad)


def test_what_names_no_class_is_refused_since_nodes_merge_classes(bob, cluster, train, db):
    code = {"type": "gan", "layers": [{"type": "dense", "units": 8}]}
    with pytest.raises(training.InvalidConfig, match="architecture.type: a cluster merges answers"):
        train(cluster, config=CONFIG | {"architecture": code})
    diabetes = training.add_bundled_dataset(slug="diabetes")
    datasets.prepare_dataset(str(diabetes.pk))
    diabetes.refresh_from_db()
    layers = {"type": "feedforward", "layers": [{"type": "dense", "units": 8}]}
    with pytest.raises(training.InvalidConfig, match="dataset: .*asks for values; train it on one"):
        clusters.train_job(
            actor=bob,
            cluster=cluster,
            dataset=diabetes,
            config=CONFIG | {"architecture": layers},
            tier=Tier.NANO,
        )


def test_a_training_without_enough_credits_is_refused_and_leaves_the_cluster_free(
    bob, cluster, train
):
    available = billing.available_microcredits(bob)
    billing.hold(owner=bob, amount_microcredits=available, key="all of it", reason="Else")
    with pytest.raises(billing.InsufficientCredits):
        train(cluster)
    cluster.refresh_from_db()
    assert cluster.state == Cluster.State.CONNECTED
    assert not Contribution.objects.exists()


def test_terminating_cancels_what_is_under_way_and_keeps_what_was_paid(bob, cluster, train):
    before = billing.available_microcredits(bob)
    session = train(cluster)
    until(session, Contribution.Kind.VERIFY)
    work_off(session, most=2)
    cluster = clusters.terminate_cluster(actor=bob, cluster=cluster)
    session.job.refresh_from_db()
    assert cluster.state == Cluster.State.TERMINATED
    assert {node.state for node in cluster.nodes.all()} == {Node.State.TERMINATED}
    assert session.job.status == Work.Status.CANCELLED
    assert session.rounds.last().state == Round.State.ABORTED
    assert waiting(session) == []
    paid = session.job.quote_microcredits // 4
    assert billing.available_microcredits(bob) == before - paid
    with pytest.raises(clusters.NotConnected, match="form a new one"):
        train(cluster)


def test_mallory_changes_nothing_of_bobs(mallory, cluster):
    with pytest.raises(Cluster.DoesNotExist):
        clusters.deploy_node(actor=mallory, cluster=cluster)
    with pytest.raises(Cluster.DoesNotExist):
        clusters.terminate_cluster(actor=mallory, cluster=cluster)


# Predictions


def test_the_nodes_answer_together(bob, cluster, train, digits):
    work_off(train(cluster))
    right = 0
    for row in training.preview_rows(dataset=digits, count=20, part=training.Part.TEST):
        answer = clusters.predict(
            user=bob, cluster=cluster, row=row.values, aggregation=Aggregation.MEAN
        )
        own = [one.prediction.probabilities for one in answer.individual]
        means = {name: sum(each[name] for each in own) / 3 for name in own[0]}
        assert answer.label == max(means, key=means.__getitem__)
        assert answer.confidence == pytest.approx(max(means.values()), rel=1e-6)
        right += answer.label == row.label
    assert right >= 16


def opinion(**probabilities):
    label = max(probabilities, key=probabilities.__getitem__)
    prediction = training.Prediction(
        label=label, confidence=probabilities[label], probabilities=probabilities
    )
    return clusters.NodePrediction(node=Node(), prediction=prediction)


SPLIT = [opinion(a=0.51, b=0.49), opinion(a=0.52, b=0.48), opinion(a=0.0, b=1.0)]


@pytest.mark.parametrize(
    ("aggregation", "label", "confidence"),
    [
        (Aggregation.MEAN, "b", 1.97 / 3),
        (Aggregation.MAJORITY, "a", 2 / 3),
        (Aggregation.WEIGHTED, "a", 1.03 / 2.03),
        (Aggregation.ENSEMBLE, None, None),
    ],
)
def test_opinions_are_merged_as_asked(aggregation, label, confidence):
    answer = clusters.merge(SPLIT, aggregation)
    assert answer.label == label
    assert answer.confidence == (confidence if confidence is None else pytest.approx(confidence))
    assert answer.individual == SPLIT


def test_in_a_tie_of_votes_the_surer_side_wins():
    tied = [opinion(a=0.6, b=0.4), opinion(a=0.1, b=0.9)]
    assert clusters.merge(tied, Aggregation.MAJORITY).label == "b"


def test_a_cluster_that_has_trained_nothing_says_so(bob, cluster):
    with pytest.raises(clusters.NotConnected, match="train it first"):
        clusters.predict(user=bob, cluster=cluster, row=[0.0] * 64, aggregation=Aggregation.MEAN)

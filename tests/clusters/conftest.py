"""A cluster of bob's on the digits, and workers that take its work in the order a test wants."""

import random
from collections.abc import Callable

import pytest

from clusters import services as clusters
from clusters.models import Cluster, Contribution, Session
from clusters.runner import contributions
from training.models import Model, Tier, Work

CONFIG = {
    "architecture": {
        "type": "feedforward",
        "layers": [
            {"type": "hidden", "params": {"size": 32, "activation": "relu"}},
            {"type": "dropout", "params": {"rate": 0.1}},
        ],
    },
    "training": {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "optimizer": "adam"},
}

Train = Callable[..., Session]


def waiting(session: Session) -> list[Contribution]:
    """What a worker would find in the queue."""
    return list(Contribution.objects.filter(round__session=session, status=Work.Status.QUEUED))


def work_off(session: Session, order: random.Random | None = None, most: int = 10_000) -> None:
    """Do what is queued, and what follows from it: in an order, or at most so many."""
    while most and (queue := waiting(session)):
        chosen = order.choice(queue) if order else queue[0]
        contributions.contribute(str(chosen.pk))
        most -= 1
    session.job.refresh_from_db()
    session.cluster.refresh_from_db()


def until(session: Session, kind: Contribution.Kind, part: int = 0) -> Contribution:
    """Work until this contribution of the newest round is the next to be done."""
    while True:
        found = session.rounds.latest("number").contributions.filter(kind=kind, part=part).first()
        if found is not None:
            return found
        contributions.contribute(str(waiting(session)[0].pk))


def weights(session: Session) -> str:
    return Model.objects.get(job=session.job).weights_sha256


@pytest.fixture
def cluster(bob) -> Cluster:
    """bob's star of three workers."""
    return clusters.form_cluster(owner=bob, name="Night shift", workers=3)


@pytest.fixture
def train(bob, digits) -> Train:
    """Starts a training of bob's on a cluster."""

    def start(cluster: Cluster, config=CONFIG, **asked) -> Session:
        return clusters.train_job(
            actor=bob, cluster=cluster, dataset=digits, config=config, tier=Tier.NANO, **asked
        )

    return start

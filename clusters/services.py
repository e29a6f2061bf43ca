"""What people may ask of clusters: form, deploy, connect, train, predict, terminate."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import Max
from django.db.models.functions import Now

from billing import services as billing
from clusters.models import (
    Architecture,
    Cluster,
    Consensus,
    Node,
    Round,
    Session,
    Topology,
)
from clusters.runner import rounds
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training import services as training
from training.models import Dataset, Tier

NODES_MAX = 64
WORKS = {
    "topology": (Topology.STAR,),
    "architecture": (Architecture.FEEDFORWARD,),
    "consensus": (Consensus.PROOF_OF_LEARNING,),
    "role": (Node.Role.WORKER, Node.Role.VALIDATOR),
}


class NotAvailable(Refusal):
    """Known by name and not offered; the text lists what is."""

    status = 422


class NotConnected(Refusal):
    """The cluster is not in a state for this; the text says what to do first."""


class Aggregation(models.TextChoices):
    """How the nodes' answers become one."""

    MEAN = "mean", "Mean of the probabilities"
    MAJORITY = "majority", "One vote a node"
    WEIGHTED = "weighted", "Votes weighted by confidence"
    ENSEMBLE = "ensemble", "All answers, unmerged"


@dataclass(frozen=True, kw_only=True)
class NodePrediction:
    node: Node
    prediction: training.Prediction


@dataclass(frozen=True, kw_only=True)
class ClusterPrediction:
    """`label` and `confidence` are None where the answers were not to be merged."""

    aggregation: Aggregation
    label: str | None
    confidence: float | None
    individual: list[NodePrediction]


def require_available(field: str, value: str) -> None:
    works = WORKS[field]
    if value not in works:
        names = ", ".join(choice.value for choice in works)
        raise NotAvailable(f"{field}: '{value}' is not available; choose one of: {names}.")


def require_open(cluster: Cluster) -> None:
    if cluster.is_over:
        raise NotConnected(f"The cluster “{cluster.name}” is terminated; form a new one.")


def idle_cluster(actor: User, cluster: Cluster) -> Cluster:
    """The cluster, locked for a change of its owner's."""
    found = Cluster.objects.of(actor).select_for_update().get(pk=cluster.pk)
    require_open(found)
    if found.state == Cluster.State.TRAINING:
        raise NotConnected(f"The cluster “{found.name}” is training; wait for its end or cancel.")
    return found


@transaction.atomic
def form_cluster(
    *,
    owner: User,
    name: str,
    topology: Topology = Topology.STAR,
    architecture: Architecture = Architecture.FEEDFORWARD,
    consensus: Consensus = Consensus.PROOF_OF_LEARNING,
    daa_enabled: bool = False,
    wasm_optimization: bool = True,
    workers: int = 0,
) -> Cluster:
    """A star with its centre and a validator, and as many workers as wanted, all connected."""
    require_available("topology", topology)
    require_available("architecture", architecture)
    require_available("consensus", consensus)
    if daa_enabled:
        raise NotAvailable(
            "daa_enabled: autonomous agents are not available; nodes do what their round asks. "
            "Send false."
        )
    cluster = Cluster.objects.create(
        owner=owner,
        name=name,
        topology=topology,
        architecture=architecture,
        consensus=consensus,
        wasm_optimization=wasm_optimization,
    )
    governance.record(actor=owner, verb="form_cluster", subject=cluster)
    add_node(cluster, Node.Role.PARAMETER_SERVER)
    deploy_node(actor=owner, cluster=cluster, role=Node.Role.VALIDATOR)
    for _ in range(workers):
        deploy_node(actor=owner, cluster=cluster, role=Node.Role.WORKER)
    return connect_nodes(actor=owner, cluster=cluster) if workers else cluster


def add_node(cluster: Cluster, role: Node.Role) -> Node:
    last = cluster.nodes.aggregate(last=Max("number"))["last"] or 0
    return Node.objects.create(cluster=cluster, number=last + 1, role=role)


@transaction.atomic
def deploy_node(*, actor: User, cluster: Cluster, role: Node.Role = Node.Role.WORKER) -> Node:
    """Add a node; it takes part once it is connected. The centre of the star is there already."""
    require_available("role", role)
    cluster = idle_cluster(actor, cluster)
    if cluster.nodes.live().count() >= NODES_MAX:
        raise Refusal(f"nodes: a cluster has at most {NODES_MAX}; use these or form another.")
    node = add_node(cluster, role)
    governance.record(actor=actor, verb="deploy_node", subject=node, details={"role": role.value})
    return node


@transaction.atomic
def connect_nodes(*, actor: User, cluster: Cluster, topology: Topology | None = None) -> Cluster:
    """Connect what is deployed to the centre, and give every worker its shard."""
    if topology is not None:
        require_available("topology", topology)
    cluster = idle_cluster(actor, cluster)
    cluster.nodes.filter(state=Node.State.DEPLOYED).update(state=Node.State.CONNECTED)
    workers = cluster.nodes.connected(Node.Role.WORKER)
    if not workers:
        raise NotConnected("nodes: no worker is deployed that is trusted; deploy one first.")
    for shard, node in enumerate(workers):
        Node.objects.filter(pk=node.pk).update(shard=shard)
    cluster.state = Cluster.State.CONNECTED
    cluster.save(update_fields=["state"])
    governance.record(
        actor=actor, verb="connect_nodes", subject=cluster, details={"workers": len(workers)}
    )
    return cluster


@transaction.atomic
def train_job(
    *,
    actor: User,
    cluster: Cluster,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier = Tier.NANO,
    local_epochs: int = 1,
    seed: int = 0,
    name: str = "",
) -> Session:
    """Train one network over all workers, and hold what it may cost at most.

    A round is `local_epochs` passes of every worker over its shard. Connects what is not yet.
    """
    cluster = connect_nodes(actor=actor, cluster=cluster)
    division = training.divide(
        dataset=dataset,
        config=config,
        shards=cluster.nodes.connected(Node.Role.WORKER).count(),
        local_epochs=local_epochs,
    )
    job = training.submit_distributed_job(
        owner=actor,
        dataset=dataset,
        config=config,
        tier=tier,
        division=division,
        seed=seed,
        name=name or f"{dataset.name} on {cluster.name}",
    )
    session = Session.objects.create(
        cluster=cluster,
        job=job,
        shards=division.shards,
        local_steps=division.local_steps,
        rounds_total=division.rounds,
    )
    cluster.state = Cluster.State.TRAINING
    cluster.save(update_fields=["state"])
    governance.record(
        actor=actor, verb="train_job", subject=cluster, details={"session": str(session.pk)}
    )
    rounds.plan(session, number=1, base_sha256="")
    return session


@transaction.atomic
def terminate_cluster(*, actor: User, cluster: Cluster) -> Cluster:
    """End its nodes, and cancel what it trains; committed rounds stay paid."""
    for row in Round.objects.filter(session__cluster=cluster).exclude(state__in=Round.OVER):
        round = rounds.locked(row.pk)  # before the cluster: the order in which workers lock
        if not round.is_over:
            with suppress(training.JobIsOver):  # its owner may have been quicker
                training.cancel_job(actor=actor, job=round.session.job)
            rounds.abort(round)
    cluster = idle_cluster(actor, cluster)
    cluster.nodes.live().update(state=Node.State.TERMINATED)
    cluster.state = Cluster.State.TERMINATED
    cluster.terminated_at = Now()
    cluster.save(update_fields=["state", "terminated_at"])
    cluster.refresh_from_db()
    governance.record(actor=actor, verb="terminate_cluster", subject=cluster)
    return cluster


def predict(
    *, user: User, cluster: Cluster, row: Sequence[float], aggregation: Aggregation
) -> ClusterPrediction:
    """Ask every trusted node for its answer, each by the weights of its own last local steps.

    Answers are merged in the order of shards. In a tie of votes the higher sum of probabilities
    decides, then the order of classes.
    """
    require_open(cluster)
    last = (
        Round.objects.filter(session__cluster__in=Cluster.objects.of(user).filter(pk=cluster.pk))
        .filter(state=Round.State.COMMITTED)
        .order_by("-session__created_at", "-number")
        .first()
    )
    if last is None:
        raise NotConnected("This cluster has trained nothing yet; train it first.")
    individual = [
        NodePrediction(
            node=part.node,
            prediction=training.predict_with_file(sha256=part.sha256, rows=[row])[0],
        )
        for part in rounds.accepted(last)
        if part.node.state != Node.State.DISTRUSTED
    ]
    if not individual:
        raise NotConnected("No node is left that is trusted; train again.")
    billing.meter(
        user=user,
        source=f"cluster/{cluster.pk}",
        author=None,
        price_microcredits=training.COMPUTE_PRICE_MICROCREDITS,
        units=len(individual),
        event_id=uuid.uuid4(),
    )
    return merge(individual, aggregation)


def merge(individual: Sequence[NodePrediction], aggregation: Aggregation) -> ClusterPrediction:
    if aggregation == Aggregation.ENSEMBLE:
        return ClusterPrediction(
            aggregation=aggregation, label=None, confidence=None, individual=list(individual)
        )
    sums, votes = dict[str, float](), dict[str, float]()
    for answer in (one.prediction for one in individual):
        weight = answer.confidence if aggregation == Aggregation.WEIGHTED else 1.0
        votes[answer.label] = votes.get(answer.label, 0.0) + weight
        for label, probability in answer.probabilities.items():
            sums[label] = sums.get(label, 0.0) + probability
    if aggregation == Aggregation.MEAN:
        votes = sums
    label = max(sums, key=lambda name: (votes.get(name, 0.0), sums[name]))
    return ClusterPrediction(
        aggregation=aggregation,
        label=label,
        confidence=votes[label] / sum(votes.values()),
        individual=list(individual),
    )

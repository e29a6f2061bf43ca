"""The course of a round: each contribution decides, under the round's lock, what comes next.

Everything here runs in the transaction that records the contribution. A worker that dies before it
commits leaves the round where it was; the sweep gives its contribution to another.
"""

import hashlib

from django.db.models import Sum
from django.db.models.functions import Now

from clusters.models import Cluster, Contribution, Node, Round, Session
from governance import services as governance
from kernels.trainer import EpochMetrics
from training import services as training
from training.models import Work

Kind = Contribution.Kind
State = Round.State


def locked(round_id: int) -> Round:
    rows = Round.objects.select_for_update(of=("self",))
    return rows.select_related("session__job__dataset", "session__cluster").get(pk=round_id)


def order(
    round: Round, kind: Kind, node: Node, *, part: int = 0, subject: Contribution | None = None
) -> Contribution:
    contribution = Contribution.objects.create(
        round=round,
        kind=kind,
        node=node,
        part=part,
        subject=subject,
        request_id=round.session.job.request_id,
    )
    training.hint("clusters.tasks.contribute", contribution_id=str(contribution.pk))
    return contribution


def move(round: Round, state: Round.State, **fields: object) -> None:
    for name, value in fields.items():
        setattr(round, name, value)
    round.state = state
    round.save(update_fields=["state", *fields])


def plan(session: Session, *, number: int, base_sha256: str) -> Round:
    """A new round. The first has no state to begin at; its centre makes one."""
    round = Round.objects.create(session=session, number=number, base_sha256=base_sha256)
    if base_sha256:
        dispatch(round)
    else:
        order(round, Kind.BEGIN, centre(round))
    return round


def centre(round: Round) -> Node:
    return round.session.cluster.nodes.connected(Node.Role.PARAMETER_SERVER).get()


def validator(round: Round) -> Node:
    """They take turns."""
    nodes = list(round.session.cluster.nodes.connected(Node.Role.VALIDATOR))
    return nodes[round.number % len(nodes)]


def dispatch(round: Round) -> None:
    """Each shard to its own worker, or to another where that one is no longer trusted."""
    workers = list(round.session.cluster.nodes.connected(Node.Role.WORKER))
    owners = {node.shard: node for node in workers}
    move(round, State.DISPATCHED)
    for shard in range(round.session.shards):
        node = owners.get(shard, workers[shard % len(workers)])
        order(round, Kind.TRAIN, node, part=shard)


def accepted(round: Round) -> list[Contribution]:
    """What was trained and not found to be false, in the order of shards."""
    rows = round.contributions.filter(kind=Kind.TRAIN, status=Work.Status.DONE, is_excluded=False)
    return list(rows.select_related("node").order_by("part"))


def advance(round: Round, contribution: Contribution) -> None:
    """Move a locked round on by a contribution that was just recorded."""
    match contribution.kind:
        case Kind.BEGIN:
            training.begin_job(job=round.session.job)
            round.base_sha256 = contribution.sha256
            round.save(update_fields=["base_sha256"])
            dispatch(round)
        case Kind.TRAIN:
            collect(round)
        case Kind.AVERAGE:
            verify(round, contribution)
        case Kind.VERIFY:
            judge(round, contribution)


def collect(round: Round) -> None:
    if len(accepted(round)) < round.session.shards:
        move(round, State.COLLECTING)
    else:
        aggregate(round, turn=0)


def aggregate(round: Round, *, turn: int) -> None:
    move(round, State.AGGREGATING)
    order(round, Kind.AVERAGE, centre(round), part=turn)


def draw_beacon(round: Round, contributions: list[Contribution]) -> str:
    """SHA-256 over the number of the round and all hashes it is bound to.

    Nobody knows it before all have committed. It does not stop the last to commit from trying many
    false states until the draw falls on another; each try costs it no training, so where nodes are
    strangers a secret drawn after the commitments must be mixed in.
    """
    hashes = "/".join(contribution.sha256 for contribution in contributions)
    return hashlib.sha256(f"{round.number}/{round.base_sha256}/{hashes}".encode()).hexdigest()


def verify(round: Round, average: Contribution) -> None:
    """The validator re-executes the contribution that the beacon points to."""
    candidates = accepted(round)
    beacon = draw_beacon(round, candidates)
    move(
        round,
        State.VERIFYING,
        beacon=beacon,
        result_sha256=average.sha256,
        validation_loss=average.loss,
        validation_accuracy=average.accuracy,
    )
    subject = candidates[int(beacon, 16) % len(candidates)]
    order(round, Kind.VERIFY, validator(round), part=average.part, subject=subject)


def judge(round: Round, check: Contribution) -> None:
    """Equal bits commit the round. Others exclude what was checked, and its node from now on."""
    subject = check.subject
    assert subject is not None
    if check.sha256 == subject.sha256:
        commit(round)
        return
    Contribution.objects.filter(pk=subject.pk).update(is_excluded=True)
    Node.objects.filter(pk=subject.node_id).update(state=Node.State.DISTRUSTED, shard=None)
    details = {"round": round.number, "claimed": subject.sha256, "found": check.sha256}
    governance.record(actor=None, verb="distrust_node", subject=subject.node, details=details)
    workers = round.session.cluster.nodes.connected(Node.Role.WORKER)
    if workers.exists() and accepted(round):
        aggregate(round, turn=check.part + 1)
    else:
        fail(round, code="no_honest_nodes", message="No worker is left whose work can be trusted.")


def commit(round: Round) -> None:
    """Record and charge the round, then plan the next or hand in the model."""
    session = round.session
    traffic = round.contributions.aggregate(down=Sum("received_bytes"), up=Sum("sent_bytes"))
    move(
        round,
        State.COMMITTED,
        ended_at=Now(),
        down_bytes=traffic["down"],
        up_bytes=traffic["up"],
    )
    progress = progress_after(round)
    if round.number < session.rounds_total:
        training.advance_job(job=session.job, progress=progress)
        plan(session, number=round.number + 1, base_sha256=round.result_sha256)
        return
    content = training.load_blob(round.result_sha256)
    training.finish_job(job=session.job, progress=progress, content=content)
    release_cluster(session)


def progress_after(round: Round) -> training.Progress:
    """How far the job is. What was found to be false is done, but nobody pays for it."""
    session = round.session
    work = Contribution.objects.filter(round__session=session, round__state=State.COMMITTED)
    honest = work.filter(kind=Kind.TRAIN, is_excluded=False).count()
    used = work.exclude(kind=Kind.VERIFY).aggregate(seconds=Sum("compute_seconds"))["seconds"]
    parts = accepted(round)
    steps = round.number * session.shards * session.local_steps
    point = EpochMetrics(
        epoch=round.number * session.job.epochs // session.rounds_total,
        step=steps,
        train_loss=sum(part.loss or 0.0 for part in parts) / len(parts),
        train_metric=sum(part.accuracy or 0.0 for part in parts) / len(parts),
        validation_loss=round.validation_loss,
        validation_metric=round.validation_accuracy,
        metric="accuracy",
        learning_rate=session.job.config["training"]["learning_rate"],
    )
    return training.Progress(
        steps=steps,
        paid_steps=honest * session.local_steps,
        compute_seconds=used,
        point=point,
    )


def fail(round: Round, *, code: str, message: str) -> None:
    """End the job by its own fault, and the locked round with it."""
    training.fail_job(job=round.session.job, code=code, message=message)
    abort(round)


def abort(round: Round) -> None:
    """End a locked round whose job is over."""
    move(round, State.ABORTED, ended_at=Now())
    round.contributions.filter(status__in=Work.OPEN).update(
        status=Work.Status.CANCELLED, lease_until=None, finished_at=Now()
    )
    release_cluster(round.session)


def release_cluster(session: Session) -> None:
    Cluster.objects.filter(pk=session.cluster_id, state=Cluster.State.TRAINING).update(
        state=Cluster.State.CONNECTED
    )

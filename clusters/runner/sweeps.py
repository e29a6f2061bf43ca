"""Forgets the files of rounds that serve nobody any more; their hashes stay in the rows as proof.

A cluster answers predictions with what its nodes made in the last committed round, so that round is
kept until the cluster ends or trains anew.
"""

from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Now

from clusters.models import Cluster, Contribution, Round
from training import services as training
from training.models import Work

ROUNDS_AT_ONCE = 100


def forgettable() -> models.QuerySet[Round]:
    """Rounds of jobs that are over for long, except those that answer."""
    committed = Round.objects.filter(
        session__cluster=OuterRef("session__cluster"), state=Round.State.COMMITTED
    ).order_by("-session__created_at", "-number")
    answering = Coalesce(Subquery(committed.values("pk")[:1]), 0)
    is_asked = Q(pk=F("answering")) & ~Q(session__cluster__state=Cluster.State.TERMINATED)
    old = Round.objects.filter(
        files_forgotten_at=None,
        session__job__finished_at__lt=training.ago(training.retention()),
    ).exclude(session__job__status__in=Work.OPEN)
    return old.alias(answering=answering).exclude(is_asked)


def forget_files() -> None:
    for round in forgettable().order_by("pk")[:ROUNDS_AT_ONCE]:
        forget(round)


@transaction.atomic
def forget(round: Round) -> None:
    Round.objects.filter(pk=round.pk).update(files_forgotten_at=Now())
    made = round.contributions.exclude(kind=Contribution.Kind.VERIFY).exclude(sha256="")
    # In one order, so that two sweeps at once do not wait for each other.
    for sha256 in sorted(set(made.values_list("sha256", flat=True))):
        training.forget_blob(sha256, is_named=is_named)


def is_named(sha256: str) -> bool:
    """By a contribution to another round, whose files are still there."""
    return (
        Contribution.objects.filter(sha256=sha256, round__files_forgotten_at=None)
        .exclude(kind=Contribution.Kind.VERIFY)
        .exists()
    )

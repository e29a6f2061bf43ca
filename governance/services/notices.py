"""Telling people what happened: on their page, by e-mail where they want it, and to their programs.

`tell` is called inside the transaction of the act, beside `record`: what is rolled back was never
told. The rows are the truth. What is sent from them is hinted to a worker on commit, and a sweep
finds what a lost hint left behind.
"""

from collections.abc import Collection

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models, transaction
from django.db.models.functions import Now

from governance.models import BY_EMAIL, Notice, NoticeChoice, NoticeType, User
from governance.runner import telling
from governance.services.audit import record

UNREAD_SHOWN_MAX = 100  # beside the bell; counting on would cost more than anybody reads

tell = telling.tell
tell_all = telling.tell_all


def count_unread(user: User) -> int:
    """`UNREAD_SHOWN_MAX` means so many or more."""
    return Notice.objects.of(user).unread().order_by()[:UNREAD_SHOWN_MAX].count()


def unread_by(user: models.OuterRef) -> models.Func:
    """The same inside another query, which has the person."""
    unread = Notice.objects.unread().filter(user=user).order_by().values("pk")
    found = ArraySubquery(unread[:UNREAD_SHOWN_MAX])
    return models.Func(found, function="CARDINALITY", output_field=models.IntegerField())


def read_notice(*, user: User, notice: Notice) -> None:
    Notice.objects.of(user).unread().filter(pk=notice.pk).update(read_at=Now())


def read_notices(*, user: User) -> int:
    """All there are; returns how many were new."""
    return Notice.objects.of(user).unread().update(read_at=Now())


def types_by_email(user: User) -> set[NoticeType]:
    """What this person gets by e-mail."""
    chosen = NoticeChoice.objects.filter(user=user)
    by_email = dict(chosen.values_list("type", "by_email"))
    return {type for type in NoticeType if by_email.get(type.value, type in BY_EMAIL)}


@transaction.atomic
def choose_email(*, user: User, types: Collection[NoticeType]) -> None:
    """From now on these types, and no others, go to this person by e-mail."""
    NoticeChoice.objects.filter(user=user).delete()
    differing = [type for type in NoticeType if (type in types) != (type in BY_EMAIL)]
    NoticeChoice.objects.bulk_create(
        [NoticeChoice(user=user, type=type, by_email=type in types) for type in differing]
    )
    details = {"by_email": sorted(type.value for type in types)}
    record(actor=user, verb="choose_notices", subject=user, details=details)

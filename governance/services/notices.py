"""Telling people what happened: on their page, by e-mail where they want it, and to their programs.

`tell` is called inside the transaction of the act, beside `record`: what is rolled back was never
told. The rows are the truth. What is sent from them is hinted to a worker on commit, and a sweep
finds what a lost hint left behind.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models, transaction
from django.db.models.functions import Now

from governance import tasks
from governance.models import BY_EMAIL, Notice, NoticeChoice, NoticeType, User
from governance.models.notices import TEXT_LENGTH_MAX
from governance.services.audit import record

UNREAD_SHOWN_MAX = 100  # beside the bell; counting on would cost more than anybody reads
HINTED_AT_ONCE = 100  # of thousands who are told at once, the sweep hints the rest


def tell(
    *,
    user: User,
    type: NoticeType,
    text: str,
    url: str,
    data: Mapping[str, Any] | None = None,
) -> Notice:
    """Tell a person what happened, in one sentence; `url` is the path where they can see it, and
    `data` what a program needs to know of it, such as ids.
    """
    return tell_all(users=[user], type=type, text=text, url=url, data=data)[0]


@transaction.atomic
def tell_all(
    *,
    users: Iterable[User],
    type: NoticeType,
    text: str,
    url: str,
    data: Mapping[str, Any] | None = None,
) -> list[Notice]:
    """Tell many the same, in as many queries as telling one."""
    people = {user.pk: user for user in users}
    chosen = NoticeChoice.objects.filter(user__in=people, type=type)
    by_email = dict(chosen.values_list("user_id", "by_email"))
    notices = Notice.objects.bulk_create(
        [
            Notice(
                user=user,
                type=type,
                text=shortened(text),
                url=url,
                data=dict(data or {}),
                is_mailed=by_email.get(user.pk, type in BY_EMAIL),
            )
            for user in people.values()
        ]
    )
    for notice in [notice for notice in notices if notice.is_mailed][:HINTED_AT_ONCE]:
        send = partial(tasks.send_notice.delay, notice_id=str(notice.pk))
        transaction.on_commit(send, robust=True)
    return notices


def shortened(text: str) -> str:
    """A name of somebody's making may be long; what is told stays a sentence."""
    words = " ".join(text.split())
    return words if len(words) <= TEXT_LENGTH_MAX else f"{words[: TEXT_LENGTH_MAX - 1]}…"


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

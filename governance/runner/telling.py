"""Writing notices, with what goes by e-mail and to programs. Below the services, since workers tell
people something, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from celery import current_app
from django.db import transaction

from governance.models import BY_EMAIL, Notice, NoticeChoice, NoticeType, User
from governance.models.notices import TEXT_LENGTH_MAX
from governance.runner import outbox

ROWS_AT_ONCE = 2_000  # in one statement
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
    """Tell many the same, up to `ROWS_AT_ONCE` by as many queries as one person."""
    people = {user.pk: user for user in users}
    chosen = NoticeChoice.objects.filter(user__in=people, type=type)
    by_email = dict(chosen.values_list("user_id", "by_email"))
    notices = Notice.objects.bulk_create(
        [
            Notice(
                user=user,
                type=type.value,
                text=shortened(text),
                url=url,
                data=dict(data or {}),
                is_mailed=by_email.get(user.pk, type in BY_EMAIL),
            )
            for user in people.values()
        ],
        batch_size=ROWS_AT_ONCE,
    )
    hint_on_commit([notice for notice in notices if notice.is_mailed][:HINTED_AT_ONCE])
    outbox.queue_notices(notices)
    return notices


def shortened(text: str) -> str:
    """A name of somebody's making may be long; what is told stays a sentence."""
    words = " ".join(text.split())
    return words if len(words) <= TEXT_LENGTH_MAX else f"{words[: TEXT_LENGTH_MAX - 1]}…"


def hint_on_commit(letters: list[Notice]) -> None:
    if not letters:
        return

    def send() -> None:
        for notice in letters:
            current_app.send_task(
                "governance.tasks.send_notice", kwargs={"notice_id": str(notice.pk)}
            )

    transaction.on_commit(send, robust=True)

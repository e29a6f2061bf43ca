"""Sending notices by e-mail.

The row is locked while its letter is sent and marked in the same transaction, so that two workers
never send it both. One that dies in between may send it twice: better than never.
"""

from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string

from governance.models import Notice
from governance.runner.clock import ago

# The sweep leaves a hint so long to be taken, the first and each of its own, and gives up on a
# letter that no server took for a day: what it says stands on the page.
WAITED, WAITED_AGAIN, GIVEN_UP = timedelta(minutes=1), timedelta(minutes=10), timedelta(days=1)
HINTED_AT_ONCE = 500
SUBJECT_LENGTH_MAX = 90


@transaction.atomic
def send_notice(notice_id: str) -> None:
    rows = Notice.objects.unsent().filter(pk=notice_id)
    notice = rows.select_for_update(skip_locked=True, of=("self",)).select_related("user").first()
    if notice is None:
        return
    if notice.user.is_active and notice.user.email:
        send_mail(subject(notice.text), body(notice), None, [notice.user.email])
    rows.update(mailed_at=Now())


def subject(text: str) -> str:
    return text if len(text) <= SUBJECT_LENGTH_MAX else f"{text[: SUBJECT_LENGTH_MAX - 1]}…"


def body(notice: Notice) -> str:
    context = {"notice": notice, "site_url": settings.SITE_URL}
    return render_to_string("governance/notice.txt", context)


def hint_unsent() -> None:
    """Hint again what is still to be sent. Not at every sweep: a busy queue would only get longer,
    and letters that no server takes would keep those behind them from their turn.
    """
    is_old = Q(hinted_at=None) | Q(hinted_at__lt=ago(WAITED_AGAIN))
    waiting = Notice.objects.unsent().filter(is_old, at__lt=ago(WAITED), at__gt=ago(GIVEN_UP))
    some = list(waiting.order_by("at").values_list("pk", flat=True)[:HINTED_AT_ONCE])
    for notice_id in some:
        current_app.send_task("governance.tasks.send_notice", kwargs={"notice_id": str(notice_id)})
    Notice.objects.filter(pk__in=some).update(hinted_at=Now())

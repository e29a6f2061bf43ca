"""Bringing messages to endpoints: whose turn it is, one attempt, and what comes after it.

The rows are the truth and a message of the queue is only a hint. An attempt is a row before its
request is sent. A worker that dies in between leaves a lease that runs out, and the next one sends
again, with the same `webhook-id`, by which a receiver knows what it already has.
"""

import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest, Now
from django.utils import timezone
from standardwebhooks import Webhook

from governance.models import NoticeType, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from governance.models.webhooks import EndpointQuerySet
from governance.runner import outbox
from governance.runner.addresses import AddressRefused
from governance.runner.audit import record
from governance.runner.clock import ago, ahead
from governance.runner.receivers import NoAnswer, Reply, post
from governance.runner.sealing import SealBroken, unseal
from governance.runner.telling import tell

log = structlog.get_logger()
# After each failure; Standard Webhooks 1.0. Up to a fifth longer, so that what failed at one moment
# does not come back at one moment.
RETRIES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2
RETRY_AFTER_MAX = timedelta(hours=24)
GONE = 410
BUSY = (429, 502, 503, 504)  # with Retry-After they say when the endpoint wants to be asked again
LEASE = timedelta(seconds=90)  # longer than a slow resolver and a slow receiver take together
TURN_SECONDS = 20.0  # then other endpoints have theirs
HINTED_AT_ONCE = 200
FORGOTTEN_AT_ONCE = 5_000
USER_AGENT = "Neural-Marketplace-Webhooks/1"


def deliver_due(endpoint_id: str) -> None:
    """Send what is due to this endpoint, one after the other, unless another worker does."""
    endpoint = lease(endpoint_id)
    if endpoint is None:
        return
    ends_at = time.monotonic() + TURN_SECONDS
    while (delivery := begin(endpoint)) is not None:
        send(endpoint, delivery)
        if time.monotonic() > ends_at:
            outbox.hint(endpoint.pk)
            break
    held(endpoint).update(lease_until=None)


def lease(endpoint_id: str) -> WebhookEndpoint | None:
    rows = WebhookEndpoint.objects.enabled().free().filter(pk=endpoint_id)
    if not rows.update(turn=F("turn") + 1, lease_until=ahead(LEASE)):
        return None
    return WebhookEndpoint.objects.get(pk=endpoint_id)


def held(endpoint: WebhookEndpoint) -> EndpointQuerySet:
    """The endpoint's row for as long as this turn has it."""
    return WebhookEndpoint.objects.enabled().filter(pk=endpoint.pk, turn=endpoint.turn)


@transaction.atomic
def begin(endpoint: WebhookEndpoint) -> WebhookDelivery | None:
    """The next message that is due, with a row for the attempt that follows."""
    if not held(endpoint).update(lease_until=ahead(LEASE)):
        return None
    due = WebhookDelivery.objects.due().filter(endpoint=endpoint).order_by("next_at", "created_at")
    delivery = due.select_for_update(skip_locked=True).first()
    if delivery is None:
        return None
    delivery.attempt += 1
    WebhookDelivery.objects.filter(pk=delivery.pk).update(attempt=delivery.attempt)
    WebhookAttempt.objects.create(delivery=delivery, number=delivery.attempt)
    return delivery


def send(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> None:
    """One attempt, and what it came to."""
    begun_at = time.monotonic()
    reply, error = None, ""
    try:
        reply = post(endpoint.url, headers=headers_of(endpoint, delivery), body=delivery.body)
        error = complaint(reply)
    except AddressRefused as refusal:
        error = f"We do not send there: {refusal}."
    except (NoAnswer, SealBroken) as fault:
        error = str(fault)
    except Exception:
        # Else it would come back for ever, whenever the lease runs out.
        log.exception("webhook_failed", delivery=str(delivery.pk))
        error = f"Something went wrong on our side; our log has it as {delivery.pk}."
        note(endpoint, delivery, reply=None, error=error, milliseconds=since(begun_at))
        raise
    note(endpoint, delivery, reply=reply, error=error, milliseconds=since(begun_at))


def since(begun_at: float) -> int:
    """Milliseconds."""
    return round((time.monotonic() - begun_at) * 1_000)


def headers_of(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> dict[str, str]:
    """Signed with every secret that is good now, the newest first. Raises SealBroken."""
    now = datetime.now(UTC).replace(microsecond=0)
    secrets = [unseal(endpoint.secret)]
    if endpoint.previous_until is not None and endpoint.previous_until > timezone.now():
        with suppress(SealBroken):  # its key is gone since; the newest is enough
            secrets.append(unseal(endpoint.previous_secret))
    signatures = [
        Webhook(secret).sign(delivery.message_id, now, delivery.body) for secret in secrets
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def complaint(reply: Reply) -> str:
    """What is wrong with an answer; nothing where it took the message."""
    if 200 <= reply.status < 300:
        return ""
    if 300 <= reply.status < 400:
        return f"It answered {reply.status}; we follow no redirect. Set the address it leads to."
    return f"It answered {reply.status}."


@transaction.atomic
def note(
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
    *,
    reply: Reply | None,
    error: str,
    milliseconds: int,
) -> None:
    """Write down what this attempt came to, and what is next. The attempt's own row says so even
    where another worker took over meanwhile; the delivery then follows that one.
    """
    delivery.attempts.filter(number=delivery.attempt).update(
        status=reply.status if reply else None,
        response=reply.text if reply else "",
        error=error[:300],
        duration_ms=milliseconds,
    )
    rows = WebhookDelivery.objects.pending().filter(pk=delivery.pk, attempt=delivery.attempt)
    if not error:
        rows.update(state=WebhookDelivery.State.DELIVERED, ended_at=Now())
    elif reply is not None and reply.status == GONE:
        disable(endpoint, reason="It answered 410, which means that it is gone for good.")
    elif delivery.retries >= len(RETRIES):
        give_up(endpoint, delivery, error)
    else:
        wait(endpoint, delivery, reply)


def wait(endpoint: WebhookEndpoint, delivery: WebhookDelivery, reply: Reply | None) -> None:
    """Until the next attempt. An endpoint that says it is busy has peace from all its messages."""
    usual = RETRIES[delivery.retries] * (1 + random.SystemRandom().uniform(0, JITTER))
    asked = retry_after(reply)
    rows = WebhookDelivery.objects.pending().filter(pk=delivery.pk, attempt=delivery.attempt)
    rows.update(retries=F("retries") + 1, next_at=ahead(max(usual, asked)))
    if asked:
        others = WebhookDelivery.objects.pending().filter(endpoint=endpoint)
        others.update(next_at=Greatest("next_at", ahead(asked)))


def retry_after(reply: Reply | None) -> timedelta:
    """Seconds or a date, as HTTP has it; what is neither, or in the past, is nothing."""
    if reply is None or reply.status not in BUSY or not reply.retry_after:
        return timedelta(0)
    text = reply.retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), RETRY_AFTER_MAX)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - datetime.now(UTC), timedelta(0)), RETRY_AFTER_MAX)


def give_up(endpoint: WebhookEndpoint, delivery: WebhookDelivery, error: str) -> None:
    """No attempt is left. An endpoint that took nothing else either since then is switched off."""
    rows = WebhookDelivery.objects.pending().filter(pk=delivery.pk, attempt=delivery.attempt)
    if not rows.update(state=WebhookDelivery.State.FAILED, ended_at=Now()):
        return
    taken = WebhookDelivery.objects.filter(
        endpoint=endpoint,
        state=WebhookDelivery.State.DELIVERED,
        ended_at__gte=delivery.created_at,
    )
    if not taken.exists():
        reason = f"It took nothing for days. The last attempt: {error}"
        disable(endpoint, reason=reason[:300])


def disable(endpoint: WebhookEndpoint, *, reason: str) -> None:
    """Switch off an endpoint that does not want, or cannot have, what we bring; tell its owner."""
    rows = WebhookEndpoint.objects.enabled().filter(pk=endpoint.pk)
    if not rows.update(disabled_at=Now(), disabled_reason=reason):
        return
    drop_pending(endpoint)
    record(actor=None, verb="disable_webhook", subject=endpoint, details={"reason": reason})
    tell(
        user=endpoint.owner,
        type=NoticeType.WEBHOOK_DISABLED,
        text=f"The webhook “{endpoint}” was switched off: {reason}",
        url=endpoint.get_absolute_url(),
        data={"webhook_id": str(endpoint.pk)},
    )


def drop_pending(endpoint: WebhookEndpoint) -> None:
    """What waits for an endpoint that is switched off would be old news once it is on again."""
    pending = WebhookDelivery.objects.pending().filter(endpoint=endpoint)
    pending.update(state=WebhookDelivery.State.FAILED, ended_at=Now())


def hint_due() -> None:
    """Wake workers for what is due and nobody sends. Not at every sweep: a busy queue would only
    get longer.
    """
    due = WebhookDelivery.objects.due().filter(endpoint=OuterRef("pk"))
    is_old = Q(hinted_at=None) | Q(hinted_at__lt=ago(timedelta(seconds=TURN_SECONDS)))
    waiting = WebhookEndpoint.objects.enabled().free().filter(is_old).filter(Exists(due))
    for endpoint_id in list(waiting.values_list("pk", flat=True)[:HINTED_AT_ONCE]):
        outbox.hint(endpoint_id)
        WebhookEndpoint.objects.filter(pk=endpoint_id).update(hinted_at=Now())


def forget_deliveries() -> None:
    """Of messages that ended more than `RETENTION_DAYS` ago nobody asks for another attempt."""
    kept = timedelta(days=settings.RETENTION_DAYS)
    old = WebhookDelivery.objects.filter(ended_at__lt=ago(kept)).order_by("ended_at")
    some = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    WebhookDelivery.objects.filter(pk__in=some).delete()

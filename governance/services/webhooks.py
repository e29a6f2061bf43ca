"""Webhooks: where a person's programs are told what happened (Standard Webhooks 1.0).

What is asked here changes rows; `runner.deliveries` sends what is due. A secret is shown when it is
made. When it is rotated, messages bear both signatures for a day, so that no receiver misses one.
"""

import base64
import secrets
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from governance.models import NoticeType, User, WebhookDelivery, WebhookEndpoint
from governance.models.webhooks import TEST_TYPE
from governance.runner import addresses, deliveries, outbox
from governance.runner.clock import ahead
from governance.runner.sealing import SealBroken, seal, unseal
from governance.services.audit import record
from governance.services.refusals import NotAllowed, Refusal
from governance.services.turns import take_turn

ENDPOINTS_MAX = 10
SECRET_BYTES = 32
OVERLAP = timedelta(days=1)


class InvalidWebhook(Refusal):
    """The address of a webhook is not one that we send to."""

    status = 400


class TooManyWebhooks(Refusal):
    """A person has as many webhooks as one may have."""


class WebhookIsOff(Refusal):
    """A webhook was switched off, so nothing is sent there."""


class DeliveryIsPending(Refusal):
    """A message waits to be sent already, or is being sent."""


@transaction.atomic
def create_webhook(
    *, owner: User, url: str, description: str = "", types: Sequence[NoticeType] = ()
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint and return it with its secret. Without `types` it is told of everything."""
    require_address(url)
    take_turn(f"webhooks/{owner.pk}")
    if WebhookEndpoint.objects.of(owner).count() >= ENDPOINTS_MAX:
        raise TooManyWebhooks(f"You have {ENDPOINTS_MAX} webhooks; delete one to make another.")
    secret = make_secret()
    endpoint = WebhookEndpoint.objects.create(
        owner=owner,
        url=url,
        description=description,
        types=sorted({type.value for type in types}),
        secret=seal(secret),
    )
    details = {"site": endpoint.site, "types": endpoint.types}
    record(actor=owner, verb="create_webhook", subject=endpoint, details=details)
    endpoint.refresh_from_db()
    return endpoint, secret


@transaction.atomic
def change_webhook(
    *,
    owner: User,
    endpoint: WebhookEndpoint,
    url: str,
    description: str,
    types: Sequence[NoticeType],
    is_on: bool,
) -> WebhookEndpoint:
    """Another address, purpose or choice of what is told, on or off; its secret stays. What waits
    goes to the new address.
    """
    require_owner(owner, endpoint)
    if url != endpoint.url:
        require_address(url)
    take_turn(f"webhook/{endpoint.pk}")
    told = sorted({type.value for type in types})
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(url=url, description=description, types=told)
    endpoint.refresh_from_db()
    details = {"site": endpoint.site, "types": endpoint.types}
    record(actor=owner, verb="change_webhook", subject=endpoint, details=details)
    if is_on == (endpoint.disabled_at is None):
        return endpoint
    switch = enable_webhook if is_on else disable_webhook
    return switch(owner=owner, endpoint=endpoint)


def require_address(url: str) -> None:
    """Refuse at once what can never be sent to; names are judged each time they are sent to."""
    try:
        addresses.refuse_numbers(addresses.parse(url))
    except addresses.AddressRefused as refusal:
        raise InvalidWebhook(
            f"url: {url[:200]!r} is refused: {refusal}.",
            invalid_parameters=[{"field": "url", "reason": str(refusal)}],
        ) from refusal


def make_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def webhook_secret(endpoint: WebhookEndpoint) -> str:
    """Its secret, for the answer to a call that made it and is repeated under its key."""
    try:
        return unseal(endpoint.secret)
    except SealBroken as error:
        raise Refusal(str(error)) from error


@transaction.atomic
def rotate_webhook_secret(*, owner: User, endpoint: WebhookEndpoint) -> tuple[WebhookEndpoint, str]:
    """A new secret. The old one signs, too, for a day, unless it can no longer be read; of one that
    was rotated before, no more.
    """
    require_owner(owner, endpoint)
    take_turn(f"webhook/{endpoint.pk}")
    endpoint.refresh_from_db()
    kept: dict[str, Any] = {"previous_secret": "", "previous_until": None}
    with suppress(SealBroken):
        unseal(endpoint.secret)
        kept = {"previous_secret": F("secret"), "previous_until": ahead(OVERLAP)}
    secret = make_secret()
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(secret=seal(secret), **kept)
    record(actor=owner, verb="rotate_webhook_secret", subject=endpoint)
    endpoint.refresh_from_db()
    return endpoint, secret


@transaction.atomic
def disable_webhook(*, owner: User, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Nothing is sent any more, and what waits is dropped."""
    require_owner(owner, endpoint)
    rows = WebhookEndpoint.objects.enabled().filter(pk=endpoint.pk)
    reason = "You switched it off."
    if not rows.update(disabled_at=Now(), disabled_reason=reason):
        raise WebhookIsOff("This webhook is already switched off.")
    deliveries.drop_pending(endpoint)
    record(actor=owner, verb="disable_webhook", subject=endpoint, details={"reason": reason})
    endpoint.refresh_from_db()
    return endpoint


@transaction.atomic
def enable_webhook(*, owner: User, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    require_owner(owner, endpoint)
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=False)
    if not rows.update(disabled_at=None, disabled_reason=""):
        raise Refusal("This webhook is on.")
    record(actor=owner, verb="enable_webhook", subject=endpoint)
    endpoint.refresh_from_db()
    return endpoint


@transaction.atomic
def delete_webhook(*, owner: User, endpoint: WebhookEndpoint) -> None:
    """Its log goes with it; the audit trail keeps that it was there."""
    require_owner(owner, endpoint)
    record(actor=owner, verb="delete_webhook", subject=endpoint, details={"site": endpoint.site})
    WebhookEndpoint.objects.filter(pk=endpoint.pk).delete()


@transaction.atomic
def test_webhook(*, owner: User, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a message that says nothing; one at a time."""
    require_owner(owner, endpoint)
    require_on(endpoint)
    take_turn(f"webhook/{endpoint.pk}")
    if WebhookDelivery.objects.pending().filter(endpoint=endpoint, type=TEST_TYPE).exists():
        raise DeliveryIsPending("A test is on its way; wait until it has arrived or failed.")
    data = {"text": "This is a test.", "webhook_id": str(endpoint.pk)}
    delivery = WebhookDelivery(
        endpoint=endpoint,
        message_id=f"msg_{uuid.uuid4().hex}",
        type=TEST_TYPE,
        body=outbox.body(TEST_TYPE, data, at=timezone.now()),
    )
    outbox.queue([delivery])
    record(actor=owner, verb="test_webhook", subject=endpoint)
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def replay_delivery(*, owner: User, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a message again, as it was and under the same id, with all retries before it anew."""
    require_owner(owner, delivery.endpoint)
    require_on(delivery.endpoint)
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    again = rows.exclude(state=WebhookDelivery.State.PENDING).update(
        state=WebhookDelivery.State.PENDING, retries=0, next_at=Now(), ended_at=None
    )
    if not again:
        raise DeliveryIsPending("This message is on its way; see its next attempt on its page.")
    outbox.hint_on_commit([delivery.endpoint_id])
    record(actor=owner, verb="replay_delivery", subject=delivery)
    delivery.refresh_from_db()
    return delivery


def require_owner(owner: User, endpoint: WebhookEndpoint) -> None:
    if endpoint.owner_id != owner.pk:
        raise NotAllowed("This webhook is somebody else's.")


def require_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise WebhookIsOff("This webhook is switched off; switch it on first.")

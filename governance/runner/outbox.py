"""Messages that wait to be brought to endpoints, written in the transaction of what they tell."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance.models import Notice, WebhookDelivery, WebhookEndpoint
from governance.models.webhooks import BODY_BYTES_MAX

HINTED_AT_ONCE = 100
BODIES_AT_ONCE = 500  # of up to 20 kB, in one statement


def queue_notices(notices: Sequence[Notice]) -> None:
    """One delivery for each endpoint of who is told, where it wants this type: `notices` have all
    the same.
    """
    if not notices:
        return
    wanting = WebhookEndpoint.objects.wanting(notices[0].type)
    endpoints: dict[uuid.UUID, list[WebhookEndpoint]] = {}
    for endpoint in wanting.filter(owner__in=[notice.user_id for notice in notices]):
        endpoints.setdefault(endpoint.owner_id, []).append(endpoint)
    deliveries = [
        delivery_of(notice, endpoint)
        for notice in notices
        for endpoint in endpoints.get(notice.user_id, ())
    ]
    if deliveries:
        queue(deliveries)


def delivery_of(notice: Notice, endpoint: WebhookEndpoint) -> WebhookDelivery:
    content = {
        "notice_id": str(notice.pk),
        "text": notice.text,
        "url": f"{settings.SITE_URL}{notice.url}" if notice.url else "",
    }
    return WebhookDelivery(
        endpoint=endpoint,
        message_id=f"msg_{notice.pk.hex}",
        type=notice.type,
        body=body(notice.type, notice.data | content, at=timezone.now()),
    )


def body(type: str, data: Mapping[str, Any], *, at: datetime) -> str:
    """What is signed and sent. What would not fit is left out by name: its reader asks the API."""
    text = written(type, data, at=at)
    if len(text.encode()) <= BODY_BYTES_MAX:
        return text
    kept = {key: value for key, value in data.items() if len(json.dumps(value)) <= 1_000}
    left_out = sorted(data.keys() - kept.keys())[:100]
    return written(type, kept | {"left_out": left_out}, at=at)


def written(type: str, data: Mapping[str, Any], *, at: datetime) -> str:
    message = {"type": type, "timestamp": at.isoformat(timespec="milliseconds"), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def queue(deliveries: Sequence[WebhookDelivery]) -> None:
    WebhookDelivery.objects.bulk_create(deliveries, batch_size=BODIES_AT_ONCE)
    hint_on_commit(delivery.endpoint_id for delivery in deliveries)


def hint_on_commit(endpoint_ids: Iterable[uuid.UUID]) -> None:
    """Wake a worker for each endpoint. Of very many the sweep wakes the rest."""
    some = list(dict.fromkeys(endpoint_ids))[:HINTED_AT_ONCE]

    def send() -> None:
        for endpoint_id in some:
            hint(endpoint_id)

    transaction.on_commit(send, robust=True)


def hint(endpoint_id: uuid.UUID) -> None:
    """By the name of the task, which imports this."""
    task = "governance.tasks.deliver_webhooks"
    current_app.send_task(task, kwargs={"endpoint_id": str(endpoint_id)})

"""Telling people something, and bringing it to their webhooks."""

from datetime import timedelta

from django.utils import timezone

from governance import services as governance
from governance.models import NoticeType, WebhookDelivery
from governance.runner import deliveries


def told(user, type=NoticeType.TEMPLATE_SOLD, **data):
    return governance.tell(user=user, type=type, text="Bob bought it.", url="/wallet/", data=data)


def hook(user, url, **fields):
    return governance.create_webhook(owner=user, url=url, **fields)


def deliver(endpoint) -> None:
    deliveries.deliver_due(str(endpoint.pk))


def make_due() -> None:
    """As if the time until the next attempt had passed."""
    WebhookDelivery.objects.pending().update(next_at=timezone.now() - timedelta(days=1))


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()

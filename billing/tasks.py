"""What the clock asks of billing."""

from celery import shared_task

from billing.runner import settlement


@shared_task
def settle_usage() -> None:
    settlement.settle_usage()

"""What workers are asked to do: an id in, one call of the runner, safe to run twice."""

from celery import shared_task

from governance.runner import answers, deliveries, mail


@shared_task
def forget_answers() -> None:
    answers.forget_answers()
    answers.forget_quotas()


@shared_task
def send_notice(notice_id: str) -> None:
    mail.send_notice(notice_id)


@shared_task
def hint_unsent_notices() -> None:
    mail.hint_unsent()


@shared_task
def deliver_webhooks(endpoint_id: str) -> None:
    deliveries.deliver_due(endpoint_id)


@shared_task
def hint_due_webhooks() -> None:
    deliveries.hint_due()


@shared_task
def forget_deliveries() -> None:
    deliveries.forget_deliveries()

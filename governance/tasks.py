"""What workers are asked to do: an id in, one call of the runner, safe to run twice."""

from celery import shared_task

from governance.runner import answers, mail


@shared_task
def forget_answers() -> None:
    answers.forget_answers()


@shared_task
def send_notice(notice_id: str) -> None:
    mail.send_notice(notice_id)


@shared_task
def hint_unsent_notices() -> None:
    mail.hint_unsent()

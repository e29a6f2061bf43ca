"""What workers are asked to do by the clock."""

from celery import shared_task

from governance.runner import answers


@shared_task
def forget_answers() -> None:
    answers.forget_answers()

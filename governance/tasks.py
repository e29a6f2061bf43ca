"""What workers are asked to do by the clock."""

from celery import shared_task

from governance import runner


@shared_task
def forget_answers() -> None:
    runner.forget_answers()

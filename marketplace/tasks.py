"""What workers are asked to do: one call of the runner, safe to run twice."""

from celery import shared_task

from marketplace.runner import following, listings, minutes, watching


@shared_task
def count_listings() -> None:
    listings.count()


@shared_task
def sample_listings() -> None:
    listings.sample()
    listings.learn()


@shared_task
def repair_listings() -> None:
    listings.repair()


@shared_task
def follow_versions() -> None:
    following.follow_all()


@shared_task
def sweep_searches() -> None:
    watching.sweep_all()


@shared_task
def forget_statistics() -> None:
    minutes.forget()

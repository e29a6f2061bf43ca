"""What workers are asked to do: one call of the runner, safe to run twice."""

from celery import shared_task

from marketplace.models import Batch
from marketplace.runner import (
    batches,
    batchfiles,
    following,
    listings,
    minutes,
    preparing,
    watching,
)
from training import services as training


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


@shared_task
def prepare_deployments() -> None:
    preparing.prepare_all()


@shared_task
def read_batch(batch_id: str) -> None:
    batches.read_batch(batch_id)


@shared_task
def answer_batch(batch_id: str) -> None:
    batches.answer_batch(batch_id)


@shared_task
def hint_waiting_batches() -> None:
    training.hint_again(Batch.objects.to_read(), "marketplace.tasks.read_batch", "batch_id")
    training.hint_again(Batch.objects.to_answer(), "marketplace.tasks.answer_batch", "batch_id")


@shared_task
def forget_batches() -> None:
    batchfiles.forget_old()

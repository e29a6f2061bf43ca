"""What workers are asked to do: an id in, one call of the runner, safe to run twice."""

from celery import shared_task

from clusters.models import Contribution
from clusters.runner import contributions, sweeps
from training import services as training


@shared_task
def contribute(contribution_id: str) -> None:
    contributions.contribute(contribution_id)


@shared_task
def hint_waiting_contributions() -> None:
    contributions.end_poisoned()
    training.hint_again(Contribution.objects.all(), "clusters.tasks.contribute", "contribution_id")


@shared_task
def forget_files() -> None:
    sweeps.forget_files()

"""What workers are asked to do: an id in, one call of the runner, safe to run twice."""

from celery import shared_task

from training.runner import (
    chunks,
    datasets,
    exports,
    reproductions,
    searches,
    studies,
    sweeps,
    validations,
)


@shared_task
def run_job(job_id: str) -> None:
    chunks.run_turn()  # that there is work is the hint; whose turn it is says the line


@shared_task
def advance_search(search_id: str) -> None:
    searches.advance_search(search_id)


@shared_task
def validate_model(validation_id: str) -> None:
    validations.validate_model(validation_id)


@shared_task
def make_export(export_id: str) -> None:
    exports.make_export(export_id)


@shared_task
def compare_reproduction(reproduction_id: str) -> None:
    reproductions.compare_reproduction(reproduction_id)


@shared_task
def study_patterns(study_id: str) -> None:
    studies.study_patterns(study_id)


@shared_task
def prepare_dataset(dataset_id: str) -> None:
    datasets.run_turn()  # as with jobs


@shared_task
def hint_waiting_jobs() -> None:
    sweeps.release_stalled()
    sweeps.hint_waiting()


@shared_task
def forget_checkpoints() -> None:
    sweeps.forget_checkpoints()
    sweeps.forget_starts()

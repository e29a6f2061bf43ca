"""Compares what a job brought with the model that it repeats: file, weights, curves and quality.

The rows, the configuration, the seed and the kernel are those of the first run, so everything that
was computed from them has to be equal to the last bit. Times are not compared: they were measured.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from kernels import build
from training.models import Event, Job, Model, Reproduction, Work
from training.runner import leases, quality, validations
from training.runner.subjects import subject_of

CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric")
# How a reproduction ends whose job ended so.
WITHOUT_RESULT = (Work.Status.FAILED, Work.Status.CANCELLED, Work.Status.QUARANTINED)


def compare_reproduction(reproduction_id: str) -> None:
    """Compare, if its job is over and this work is to be had."""
    waiting = Reproduction.objects.filter(pk=reproduction_id).exclude(job__status__in=Work.OPEN)
    if not waiting.exists():
        return
    leases.do(Reproduction, reproduction_id, conclude)


def conclude(reproduction: Reproduction) -> None:
    leases.renew(reproduction)
    job = reproduction.job
    if job.status in WITHOUT_RESULT:
        end_without_result(reproduction, job)
        return
    try:
        comparisons = compared(reproduction)
    except validations.FAULTS as error:
        leases.fail(reproduction, code=leases.fault_code(error), message=str(error))
        return
    is_identical = all(one["expected"] == one["found"] for one in comparisons)
    with transaction.atomic():
        leases.write(
            reproduction,
            status=Work.Status.DONE,
            lease_until=None,
            finished_at=Now(),
            is_identical=is_identical,
            comparisons=comparisons,
        )
        governance.record(
            actor=None,
            verb="reproduce_model",
            subject=reproduction.model,
            details={"is_identical": is_identical, "weights_sha256": reproduction.weights_sha256},
        )
        answer = "identical" if is_identical else "different"
        Event.objects.create(job=job, message=f"Compared with the first run: {answer}.")


def end_without_result(reproduction: Reproduction, job: Job) -> None:
    leases.write(
        reproduction,
        status=job.status,
        lease_until=None,
        finished_at=Now(),
        error_code=job.error_code or job.status,
        error_message=job.error_message or f"The job that trains it again was {job.status}.",
    )


def compared(reproduction: Reproduction) -> list[dict[str, Any]]:
    """Each figure of the first run beside that of the second; equal means every bit."""
    model = reproduction.model
    pairs = {
        "weights": (model.weights_sha256, reproduction.weights_sha256),
        "file": (model.sha256, reproduction.sha256),
        "kernel": (model.kernel_hash, reproduction.job.kernel_hash),
        "steps": (model.job.steps_done, reproduction.job.steps_done),
        "curves": (curves(model.job), curves(reproduction.job)),
    }
    first = metrics_of(model)
    second = measured_again(reproduction) if first else {}
    pairs |= {name: (value, second.get(name)) for name, value in first.items()}
    return [
        {"name": name, "expected": expected, "found": found}
        for name, (expected, found) in pairs.items()
    ]


def curves(job: Job) -> str:
    """The fingerprint of every point of a job's curves."""
    points = list(job.points.order_by("epoch").values("epoch", *CURVES))
    return governance.fingerprint({"points": points})


def metrics_of(model: Model) -> Mapping[str, float]:
    """What the newest validation measured of quality, where there is one."""
    measured = model.validations.done().first()
    if measured is None:
        return {}
    if measured.metrics:
        return {name: found["value"] for name, found in measured.metrics.items()}
    names = ("accuracy", "precision", "recall", "f1")
    return {name: value for name in names if (value := getattr(measured, name)) is not None}


def measured_again(reproduction: Reproduction) -> Mapping[str, float]:
    """The quality of what the second run made, on the same rows."""
    subject = subject_of(
        reproduction.model.job,
        reproduction.sha256,
        module=build.module_of(reproduction.job.kernel_hash),
        beat=leases.heartbeat_of_parts(reproduction),
    )
    return {name: figure.value for name, figure in quality.measure(subject).figures.items()}

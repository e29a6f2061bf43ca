"""What a person sees of a job while it runs, read in a few questions however long the job is."""

from dataclasses import dataclass
from typing import Any

from training.models import Event, Job, Point, Trial
from training.runner import curves, places, trials
from training.runner.curves import Curve
from training.runner.metrics import Metric, metric_of

LOG_LINES = 50


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How a job learnt. Curves are by side ("training", "validation"), empty where nothing was
    measured.
    """

    loss: dict[str, Curve]
    metric: dict[str, Curve]
    learning_rate: dict[str, Curve]
    loss_name: str
    metric_name: Metric

    @property
    def metric_axis(self) -> str:
        if self.metric_name.is_share:
            return "share of rows right"
        # A training sees targets and rows standardised, and so are the errors it makes.
        is_error = self.metric_name.label == "Mean absolute error"
        return "in standard deviations" if is_error else "value"

    @property
    def is_rate_moving(self) -> bool:
        """A constant rate is a figure; a schedule is a curve."""
        return len({rate for curve in self.learning_rate.values() for _, rate in curve}) > 1


@dataclass(frozen=True, kw_only=True)
class JobProgress(Learning):
    """How far a job is. `version` changes when anything of it does."""

    version: str
    place: places.Place | None
    last: Point | None
    events: list[Event]
    steps_per_second: float | None
    rows_per_second: float | None
    is_best_trial: bool

    @property
    def metric_label(self) -> str:
        side = "Training" if self.last and self.last.validation_metric is None else "Validation"
        return f"{side} {self.metric_name.label.lower()}"

    @property
    def judged_metric(self) -> float | None:
        """On validation rows, where there are any."""
        if self.last is None:
            return None
        judged = self.last.validation_metric
        return self.last.train_metric if judged is None else judged

    @property
    def speed_hint(self) -> str:
        return "" if self.rows_per_second is None else f"{self.rows_per_second:,.0f} rows/s"


def job_version(*, job: Job) -> str:
    """Changes whenever the page of the job would."""
    return version_of(job, places.place_of(job))


def version_of(job: Job, place: places.Place | None) -> str:
    standing = "" if place is None else f"{place.ahead}.{place.is_held_back:d}"
    event = Event.objects.filter(job=job).values_list("pk", flat=True).first() or 0
    return f"{job.status}-{job.attempt}-{job.steps_done}-{job.cost_microcredits}-{event}-{standing}"


def job_progress(*, job: Job, seen: str = "") -> JobProgress | None:
    """How far a job is, or None when `seen` is still its version: then only that is asked."""
    place = places.place_of(job)
    version = version_of(job, place)
    if version == seen:
        return None
    steps = speed(job)
    return JobProgress(
        version=version,
        place=place,
        last=job.points.last(),
        events=list(job.events.all()[:LOG_LINES]),
        steps_per_second=steps,
        rows_per_second=rows_per_second(job, steps),
        is_best_trial=is_best_trial(job),
        **learnt(job),
    )


def learning_of(*, job: Job) -> Learning:
    return Learning(**learnt(job))


def learnt(job: Job) -> dict[str, Any]:
    found = curves.bucketed(job)
    rate = {"learning rate": found["learning_rate"]} if "learning_rate" in found else {}
    return {
        "loss": sides(found, "loss"),
        "metric": sides(found, "metric"),
        "learning_rate": rate,
        "loss_name": loss_name(job.config),
        "metric_name": metric_of(job.metric),
    }


def job_place(*, job: Job) -> places.Place | None:
    """Where a job that has not begun stands in line; nothing for one that has."""
    return places.place_of(job)


def job_curves(*, job: Job) -> dict[str, Curve]:
    """Every series of a job, at most `curves.POINTS_MAX` points of (epoch, value) each."""
    return curves.bucketed(job)


def sides(found: dict[str, Curve], quantity: str) -> dict[str, Curve]:
    """The two lines of a chart: on training rows and on validation rows."""
    names = {"training": f"train_{quantity}", "validation": f"validation_{quantity}"}
    return {side: found[name] for side, name in names.items() if name in found}


def speed(job: Job) -> float | None:
    """Steps in a second of compute, over all chunks that are done."""
    return job.steps_done / job.compute_seconds if job.compute_seconds and job.steps_done else None


def rows_per_second(job: Job, steps_per_second: float | None) -> float | None:
    """An epoch sees every training row once; an environment has none."""
    if steps_per_second is None or not job.dataset.train_rows:
        return None
    return steps_per_second * job.dataset.train_rows * job.epochs / job.steps_total


def is_best_trial(job: Job) -> bool:
    """Whether the job is the best that its search has found so far."""
    trial: Trial | None = getattr(job, "trial", None)
    return trial is not None and trials.contest_of(trial.search).best == trial


def loss_name(config: dict[str, Any]) -> str:
    name = config.get("training", {}).get("loss")
    return str(name).replace("_", " ") if name else "loss"

"""Several jobs side by side: one chart, the settings in which they differ, and what came out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing import services as billing
from governance.services import Refusal
from training.models import Job
from training.runner import beginnings, curves
from training.runner.curves import Curve
from training.runner.metrics import metric_of

JOBS_MAX = 6
SHOWN_LENGTH_MAX = 40  # of a name beside its line


class TooManyJobs(Refusal):
    """More lines than anybody can tell apart."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting or figure of every job, in the order of the jobs."""

    label: str
    values: list[str | float | None]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A job and the name of its line."""

    job: Job
    name: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    columns: list[Column]
    differences: list[Row]
    figures: list[Row]
    loss: dict[str, Curve]
    metric: dict[str, Curve]
    metric_label: str


def compare_jobs(*, jobs: Sequence[Job]) -> Comparison:
    """Compare jobs that the caller may see. The curves are on validation rows where there are."""
    if len(jobs) > JOBS_MAX:
        raise TooManyJobs(f"job: {len(jobs)} were chosen; compare at most {JOBS_MAX} at once.")
    columns = [
        Column(job=job, name=f"{number} {job.name[:SHOWN_LENGTH_MAX]}")
        for number, job in enumerate(jobs, start=1)
    ]
    found = {column.name: curves.bucketed(column.job, buckets=100) for column in columns}
    metrics = sorted({metric_of(job.metric).label for job in jobs})
    return Comparison(
        columns=columns,
        differences=differences(jobs),
        figures=figures(jobs),
        loss={name: line for name, one in found.items() if (line := judged(one, "loss"))},
        metric={name: line for name, one in found.items() if (line := judged(one, "metric"))},
        metric_label=" or ".join(metrics),
    )


def judged(found: Mapping[str, Curve], quantity: str) -> Curve:
    return found.get(f"validation_{quantity}") or found.get(f"train_{quantity}") or []


def written(value: Any) -> str | float | None:
    """A setting as it stands in the JSON that people write."""
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)


def settings(job: Job) -> dict[str, Any]:
    """Everything a person chose, by its path."""
    chosen = {"dataset": job.dataset.name, "tier": job.get_tier_display(), "seed": job.seed}
    origin = beginnings.origin_of(job)
    parent = {} if origin is None else {"begins from": origin.name}
    if origin is not None and job.start_step is not None:
        parent = {"begins from": f"{origin.name}, step {job.start_step:,}"}
    return chosen | parent | dict(flat(job.config))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from flat(inner, f"{path}.{index}")
    else:
        yield path, value


def differences(jobs: Sequence[Job]) -> list[Row]:
    chosen = [settings(job) for job in jobs]
    paths = list(dict.fromkeys(path for one in chosen for path in one))
    rows = [Row(label=path, values=[written(one.get(path)) for one in chosen]) for path in paths]
    return [row for row in rows if any(value != row.values[0] for value in row.values[1:])]


def figures(jobs: Sequence[Job]) -> list[Row]:
    """What came of each job so far."""
    last = [job.points.last() for job in jobs]
    measured = {
        "Training loss": "train_loss",
        "Validation loss": "validation_loss",
        "Training metric": "train_metric",
        "Validation metric": "validation_metric",
        "Epochs": "epoch",
    }
    credits = [float(billing.credits(job.cost_microcredits)) for job in jobs]
    return [
        *(
            Row(label=label, values=[getattr(point, name, None) for point in last])
            for label, name in measured.items()
        ),
        Row(label="Parameters", values=[job.parameters for job in jobs]),
        Row(label="Compute, seconds", values=[job.compute_seconds for job in jobs]),
        Row(label="Cost, credits", values=list(credits)),
    ]

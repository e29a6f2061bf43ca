"""The curves of a job, in buckets that the database makes: at most 1,000 points however long it is.

Of each bucket of neighbouring epochs the lowest, the highest and the last point stay, so that no
spike disappears and the line ends where the job stands (the M4 aggregation of Jugel et al., 2014,
without its first point, which the bucket before ends beside).
"""

from collections.abc import Iterable

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Aggregate,
    F,
    FloatField,
    Func,
    IntegerField,
    Max,
    Min,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast

from training.models import Job, Point

BUCKETS = 330
POINTS_MAX = 1_000
SERIES = (
    "train_loss",
    "validation_loss",
    "train_metric",
    "validation_metric",
    "learning_rate",
)

Curve = list[tuple[int, float]]  # epoch, value


class Pair(Func):
    """Two numbers in one value, compared by the first, then by the second."""

    template = "ARRAY[%(expressions)s]::double precision[]"
    output_field = ArrayField(FloatField())


def bucketed(job: Job, *, buckets: int = BUCKETS) -> dict[str, Curve]:
    """Every series that the job has, by the names of `SERIES`, its epochs ascending.

    Exact while the job has no more than `POINTS_MAX` epochs.
    """
    last = 0
    if job.epochs > POINTS_MAX:
        last = Point.objects.filter(job=job).aggregate(last=Max("epoch"))["last"] or 0
    found = thinned(job, last, buckets) if last > POINTS_MAX else whole(job)
    return {name: curve for name, curve in found.items() if curve}


def whole(job: Job) -> dict[str, Curve]:
    rows = list(Point.objects.filter(job=job).order_by("epoch").values_list("epoch", *SERIES))
    return {
        name: [(row[0], row[place]) for row in rows if row[place] is not None]
        for place, name in enumerate(SERIES, start=1)
    }


def thinned(job: Job, last: int, buckets: int) -> dict[str, Curve]:
    """The same, three points for each bucket at most, by one question to the database."""
    rows: QuerySet[Point] = Point.objects.filter(job=job)
    place = Cast((F("epoch") - 1) * Value(buckets) / Value(last), IntegerField())
    chosen: dict[str, Aggregate] = {}
    for name in SERIES:
        known = Q(**{f"{name}__isnull": False})
        chosen[f"{name}_of_low"] = Min(Pair(name, "epoch"), filter=known)
        chosen[f"{name}_of_high"] = Max(Pair(name, "epoch"), filter=known)
        chosen[f"{name}_of_last"] = Max(Pair("epoch", name), filter=known)
    found = list(rows.annotate(bucket=place).values("bucket").annotate(**chosen).order_by("bucket"))
    return {
        name: points(
            (row[f"{name}_of_low"], row[f"{name}_of_high"], row[f"{name}_of_last"]) for row in found
        )
        for name in SERIES
    }


def points(
    rows: Iterable[tuple[list[float] | None, list[float] | None, list[float] | None]],
) -> Curve:
    curve: Curve = []
    for low, high, last in rows:
        if low is None or high is None or last is None:
            continue
        chosen = {int(low[1]): low[0], int(high[1]): high[0], int(last[0]): last[1]}
        curve += sorted(chosen.items())
    return curve

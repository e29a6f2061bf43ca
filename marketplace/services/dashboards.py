"""How a deployment does: calls, latency, errors and cost over a window of time, by version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from billing.models import MICROCREDITS, UsageEvent
from governance import services as governance
from governance.models import User
from marketplace.models import Call, Deployment, Served
from marketplace.runner.minutes import BUCKETS, RECORDER, edge_of, percentile
from marketplace.services.configurations import InvalidDeployment
from training import services as training

Points = list[tuple[float, float]]
PERCENTS = (50, 95, 99)
CALLS_SHOWN = 100
INPUTS_HOURS_MAX = 24


@dataclass(frozen=True, kw_only=True)
class Window:
    """A span of time up to now, and the steps that a plot of it has."""

    name: str
    length: timedelta
    step: timedelta
    unit: str  # of the axis
    span: Served.Span

    @property
    def unit_length(self) -> timedelta:
        return {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}.get(
            self.unit, timedelta(days=1)
        )


WINDOWS = {
    "1h": Window(
        name="1 hour",
        length=timedelta(hours=1),
        step=timedelta(minutes=1),
        unit="minutes",
        span=Served.Span.MINUTE,
    ),
    "24h": Window(
        name="24 hours",
        length=timedelta(hours=24),
        step=timedelta(minutes=15),
        unit="hours",
        span=Served.Span.MINUTE,
    ),
    "7d": Window(
        name="7 days",
        length=timedelta(days=7),
        step=timedelta(hours=1),
        unit="days",
        span=Served.Span.HOUR,
    ),
    "30d": Window(
        name="30 days",
        length=timedelta(days=30),
        step=timedelta(hours=6),
        unit="days",
        span=Served.Span.HOUR,
    ),
}


@dataclass
class Tally:
    """Calls, counted; latencies are those of the answered ones."""

    calls: int = 0
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, row: Served) -> None:
        self.calls += row.calls
        self.rows += row.rows
        if row.outcome:
            self.errors[row.outcome] += row.calls
        else:
            both = zip(self.latencies, row.latencies, strict=True)
            self.latencies = [had + new for had, new in both]

    @property
    def failed(self) -> int:
        return self.errors.total()

    @property
    def error_share(self) -> float:
        return self.failed / self.calls if self.calls else 0.0

    @property
    def percentiles(self) -> dict[str, float]:
        """In milliseconds, by name; those left out of which so few calls tell nothing."""
        answered = sum(self.latencies)
        known = [percent for percent in PERCENTS if answered >= training.LEAST_CALLS[percent]]
        found = {f"p{percent}": percentile(self.latencies, percent / 100) for percent in known}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    window: Window
    total: Tally
    versions: dict[str, Tally]
    calls: dict[str, Points]
    latency: dict[str, Points]
    counts: list[int]
    edges: list[float]
    cost_by_day: dict[str, float]  # credits

    @property
    def is_compared(self) -> bool:
        return len(self.versions) > 1


def dashboard(*, deployment: Deployment, window: Window, now: datetime | None = None) -> Dashboard:
    """What was counted up to now. Calls of the last seconds may not be in it yet."""
    until = now or timezone.now()
    rows = Served.objects.filter(
        deployment=deployment, span=window.span, at__gt=until - window.length
    ).select_related("route__version")
    total = Tally()
    versions: dict[str, Tally] = {}
    steps: dict[int, Tally] = {}
    by_version: dict[str, Counter[int]] = {}
    for row in rows.order_by("route__version__number", "at"):
        name = f"version {row.route.version.number}"
        step = int((until - row.at) / window.step)
        total.add(row)
        versions.setdefault(name, Tally()).add(row)
        steps.setdefault(step, Tally()).add(row)
        by_version.setdefault(name, Counter())[step] += row.calls
    counts, edges = histogram(total.latencies)
    return Dashboard(
        window=window,
        total=total,
        versions=versions,
        calls={name: counted(window, each) for name, each in by_version.items()},
        latency=latencies_over(window, steps),
        counts=counts,
        edges=edges,
        cost_by_day=cost_by_day(deployment, since=until - window.length),
    )


def place_of(window: Window, step: int) -> float:
    """Where a step is on the axis: before now is negative."""
    return -(step * window.step) / window.unit_length


def counted(window: Window, calls: Counter[int]) -> Points:
    """Every step of the window, those without a call, too."""
    steps = range(int(window.length / window.step))
    return [(place_of(window, step), float(calls[step])) for step in reversed(steps)]


def latencies_over(window: Window, steps: dict[int, Tally]) -> dict[str, Points]:
    lines: dict[str, Points] = {}
    for step in sorted(steps, reverse=True):
        for name, value in steps[step].percentiles.items():
            lines.setdefault(name, []).append((place_of(window, step), value))
    return lines


def histogram(latencies: Sequence[int]) -> tuple[list[int], list[float]]:
    """The buckets from the first to the last that has a call."""
    filled = [bucket for bucket, count in enumerate(latencies) if count]
    if not filled:
        return [], []
    first, last = filled[0], filled[-1]
    edges = [edge_of(bucket) for bucket in range(first - 1, last + 1)]
    return list(latencies[first : last + 1]), edges


def cost_by_day(deployment: Deployment, *, since: datetime) -> dict[str, float]:
    """Credits, from what was metered: exact, whatever was counted."""
    events = UsageEvent.objects.filter(source=deployment.source, at__gte=since)
    days = events.annotate(day=TruncDay("at")).values("day").order_by("day")
    spent = days.annotate(sum=Sum(F("units") * F("price_microcredits")))
    return {f"{each['day']:%d %b}": each["sum"] / MICROCREDITS for each in spent}


def last_calls(*, deployment: Deployment) -> list[Call]:
    """The newest first."""
    return list(
        Call.objects.filter(deployment=deployment).select_related("route__version")[:CALLS_SHOWN]
    )


@transaction.atomic
def log_inputs(*, actor: User, deployment: Deployment, hours: int) -> Deployment:
    """Keep what is asked beside each call for so many hours, or, with 0, no longer: then what was
    kept goes at once.
    """
    if not 0 <= hours <= INPUTS_HOURS_MAX:
        raise InvalidDeployment(
            f"hours: must be from 0 to {INPUTS_HOURS_MAX}, not {hours}.",
            invalid_parameters=[
                {"field": "hours", "reason": f"must be from 0 to {INPUTS_HOURS_MAX}"}
            ],
        )
    found = Deployment.objects.of(actor).select_for_update().get(pk=deployment.pk)
    found.inputs_logged_until = timezone.now() + timedelta(hours=hours) if hours else None
    found.save(update_fields=["inputs_logged_until"])
    if not hours:
        Call.objects.filter(deployment=found).exclude(asked="").update(asked="")
    governance.record(actor=actor, verb="log_inputs", subject=found, details={"hours": hours})
    return found


def write_statistics() -> None:
    """What this process has counted, now: of one that may end before it would write by itself."""
    RECORDER.flush()

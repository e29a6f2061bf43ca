"""Counts what deployments answer, in memory, and writes it down every few seconds.

A call adds to a few numbers under a lock and asks the database nothing. Latencies fall into buckets
that grow by 2^¼, as HDR histograms have them, so that percentiles of any span can be made of sums,
right to within 19 %. A crash loses what was not written yet: statistics, never money.
"""

import atexit
import json
import math
import os
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone

from marketplace.models import Call, Deployment, Route, Served

log = structlog.get_logger()

FASTEST_MS = 0.1
BUCKETS = 80
STEPS = 4  # buckets from one value to its double
CALLS_KEPT = 200  # of a deployment, each time that is written
CALLS_SHOWN_MAX = 1_000
ASKED_LENGTH_MAX = 10_000
MINUTES_KEPT = timedelta(days=2)
HOURS_KEPT = timedelta(days=31)
INPUTS_KEPT = timedelta(days=1)


def bucket_of(milliseconds: float) -> int:
    if milliseconds <= FASTEST_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log2(milliseconds / FASTEST_MS) * STEPS))


def edge_of(bucket: int) -> float:
    """The longest that a call of this bucket took, in milliseconds."""
    return float(FASTEST_MS * 2 ** (bucket / STEPS))


def percentile(latencies: Sequence[int], share: float) -> float | None:
    """The latency that this share of the calls kept within; nothing where there were none."""
    wanted, seen = share * sum(latencies), 0
    if not wanted:
        return None
    for bucket, count in enumerate(latencies):
        seen += count
        if seen >= wanted:
            return edge_of(bucket)
    return edge_of(BUCKETS - 1)


@dataclass
class Sum:
    calls: int = 0
    rows: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * BUCKETS)


@dataclass(frozen=True, kw_only=True)
class Noted:
    """One call, as it is noted."""

    deployment: Deployment
    route_id: int
    event_id: uuid.UUID
    rows: int
    milliseconds: float
    outcome: str
    asked: object


Key = tuple[uuid.UUID, str, datetime, int, str]  # deployment, span, at, route, outcome


class Recorder:
    """Sums of this process that are not written yet."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Also in a child after a fork: what the parent counted, the parent writes."""
        self.lock = threading.Lock()
        self.sums: dict[Key, Sum] = defaultdict(Sum)
        self.calls: dict[uuid.UUID, deque[Call]] = {}
        self.writer: threading.Thread | None = None

    def note(self, noted: Noted) -> None:
        now = timezone.now()
        minute = now.replace(second=0, microsecond=0)
        bucket = bucket_of(noted.milliseconds)
        owner, route, outcome = noted.deployment.pk, noted.route_id, noted.outcome
        call = Call(
            deployment_id=owner,
            route_id=route,
            event_id=noted.event_id,
            at=now,
            rows=noted.rows,
            milliseconds=noted.milliseconds,
            outcome=outcome,
            asked=kept(noted.deployment, noted.asked, now),
        )
        with self.lock:
            for span, at in (
                (Served.Span.MINUTE, minute),
                (Served.Span.HOUR, minute.replace(minute=0)),
            ):
                found = self.sums[owner, span.value, at, route, outcome]
                found.calls += 1
                found.rows += noted.rows
                found.latencies[bucket] += 1
            self.calls.setdefault(owner, deque(maxlen=CALLS_KEPT)).append(call)
            if self.writer is None and settings.STATISTICS_SECONDS:
                self.writer = threading.Thread(target=self._write_on, daemon=True)
                self.writer.start()

    def _write_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(settings.STATISTICS_SECONDS):
            self.flush()
            connection.close()

    def flush(self) -> None:
        """Write what was counted. What cannot be written is logged and forgotten."""
        with self.lock:
            sums, calls = self.sums, self.calls
            self.sums, self.calls = defaultdict(Sum), {}
        if not sums:
            return
        try:
            write(sums, [call for each in calls.values() for call in each])
        except Error:  # also that the connection is gone
            log.exception("statistics_lost", sums=len(sums))


def kept(deployment: Deployment, asked: object, now: datetime) -> str:
    """What was asked, where the owner wishes it kept for now, and it was no tensors."""
    until = deployment.inputs_logged_until
    if until is None or until < now or asked is None:
        return ""
    return json.dumps(asked, ensure_ascii=True, default=str)[:ASKED_LENGTH_MAX]


ADD = """
    INSERT INTO marketplace_served
        (deployment_id, span, at, route_id, outcome, calls, rows, latencies)
    SELECT %s, %s, %s, %s, %s, %s, %s, %s
    WHERE EXISTS (SELECT FROM marketplace_route WHERE id = %s)
    ON CONFLICT (deployment_id, span, at, route_id, outcome) DO UPDATE SET
        calls = marketplace_served.calls + EXCLUDED.calls,
        rows = marketplace_served.rows + EXCLUDED.rows,
        latencies = ARRAY(
            SELECT had + new FROM unnest(marketplace_served.latencies, EXCLUDED.latencies)
                WITH ORDINALITY AS both_(had, new, place) ORDER BY place
        )
"""


@transaction.atomic
def write(sums: dict[Key, Sum], calls: Iterable[Call]) -> None:
    """In one order, so that two processes never wait for each other."""
    rows: list[tuple[Any, ...]] = [
        (*key, found.calls, found.rows, found.latencies, key[3])
        for key, found in sorted(sums.items())
    ]
    with connection.cursor() as cursor:
        cursor.executemany(ADD, rows)
    # What is gone since must not cost the others their figures.
    routes = Route.objects.filter(pk__in={key[3] for key in sums})
    there = set(routes.values_list("pk", flat=True))
    calls = [call for call in calls if call.route_id in there]
    with_inputs = {call.deployment_id for call in calls if call.asked}
    unwished = Deployment.objects.filter(pk__in=with_inputs, inputs_logged_until=None)
    unwished_ids = set(unwished.values_list("pk", flat=True))
    for call in calls:
        if call.deployment_id in unwished_ids:  # since it was asked, its owner has changed the mind
            call.asked = ""
    Call.objects.bulk_create(calls)


RECORDER = Recorder()
os.register_at_fork(after_in_child=RECORDER.clear)


@atexit.register
def flush_at_exit() -> None:
    """Of a process that writes down at all."""
    if RECORDER.writer is not None:
        RECORDER.flush()


def forget() -> None:
    """Minutes after two days, hours after a month, what was asked after a day, and of each
    deployment all calls but the last.
    """
    now = timezone.now()
    Served.objects.filter(span=Served.Span.MINUTE, at__lt=now - MINUTES_KEPT).delete()
    Served.objects.filter(span=Served.Span.HOUR, at__lt=now - HOURS_KEPT).delete()
    with_inputs = Call.objects.exclude(asked="")
    with_inputs.filter(at__lt=now - INPUTS_KEPT).update(asked="")
    # Written just when their owner wished it no longer.
    with_inputs.filter(deployment__inputs_logged_until=None).update(asked="")
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM marketplace_call c USING ("
            "  SELECT id, row_number() OVER (PARTITION BY deployment_id ORDER BY at DESC, id DESC)"
            "    AS place FROM marketplace_call) p "
            "WHERE p.id = c.id AND p.place > %s",
            [CALLS_SHOWN_MAX],
        )

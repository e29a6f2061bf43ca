"""How much data a person may bring, and how much work they may have waiting, by plan. Bytes are
bounded when a file is brought; rows, columns and values by the worker that reads it.

Work that costs nothing is bounded here alone, since no wallet bounds it.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Count, Q, QuerySet, Value

from governance import services as governance
from governance.services import Refusal
from training.models import Export, Job, Reproduction, Validation, Work
from training.runner.plans import FREE, PAYING, plan_of


class TooMuchAtOnce(Refusal):
    """So much of a person's work waits already; the plan says how much may."""


class Load(StrEnum):
    """What a person may have only so much of that is not over yet."""

    JOBS = "queued jobs"
    VALIDATIONS = "validations"
    EXPORTS = "exports"
    REPRODUCTIONS = "reproductions"


@dataclass(frozen=True, kw_only=True)
class Caps:
    file_bytes: int  # of one file as it was brought
    rows: int
    columns: int
    values: int  # rows × what a row becomes: words and categories widen it
    datasets: int  # of a person, versions counted
    total_bytes: int  # of a person: files as they were brought, and rows as they are stored
    loads: dict[Load, int]  # of a person, at once

    @property
    def file_megabytes(self) -> float:
        return self.file_bytes / 1e6

    @property
    def total_megabytes(self) -> float:
        return self.total_bytes / 1e6


CAPS = {
    FREE.name: Caps(
        file_bytes=50_000_000,
        rows=200_000,
        columns=2_000,
        values=25_000_000,
        datasets=50,
        total_bytes=500_000_000,
        loads={Load.JOBS: 20, Load.VALIDATIONS: 5, Load.EXPORTS: 5, Load.REPRODUCTIONS: 3},
    ),
    PAYING.name: Caps(
        file_bytes=100_000_000,
        rows=500_000,
        columns=2_000,
        values=50_000_000,
        datasets=500,
        total_bytes=5_000_000_000,
        loads={Load.JOBS: 100, Load.VALIDATIONS: 20, Load.EXPORTS: 20, Load.REPRODUCTIONS: 10},
    ),
}


# Trials are not counted: a search queues them one by one, and searches are bounded themselves. Nor
# are those that somebody else pays, to see whether a model can be made again: nobody may fill
# another's places. They count as the asker's reproductions.
WAITING: dict[Load, Callable[[uuid.UUID], QuerySet[Any]]] = {
    Load.JOBS: lambda owner: Job.objects.filter(
        owner=owner, payer=owner, status=Work.Status.QUEUED, trial=None
    ),
    Load.VALIDATIONS: lambda owner: Validation.objects.filter(
        model__owner=owner, status__in=Work.OPEN
    ),
    Load.EXPORTS: lambda owner: Export.objects.filter(
        Q(asker=owner) | Q(asker=None, model__owner=owner), status__in=Work.OPEN
    ),
    Load.REPRODUCTIONS: lambda owner: Reproduction.objects.filter(
        owner=owner, status__in=Work.OPEN
    ),
}


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much of a load a person has, and may have."""

    load: Load
    used: int
    limit: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    def __str__(self) -> str:
        return f"{self.used} of at most {self.limit} {self.load}"


def caps_of(owner_id: uuid.UUID) -> Caps:
    return CAPS[plan_of(owner_id).name]


def bounds_of(owner_id: uuid.UUID) -> dict[str, int]:
    """The most that is read for this person's plan."""
    caps = caps_of(owner_id)
    return {name: getattr(caps, name) for name in ("file_bytes", "rows", "columns", "values")}


def rooms_of(owner_id: uuid.UUID) -> dict[Load, Room]:
    """Of each load, counted by one question."""
    counts = [
        rows(owner_id).order_by().values(load=Value(load.value)).annotate(used=Count("pk"))
        for load, rows in WAITING.items()
    ]
    used = {row["load"]: row["used"] for row in counts[0].union(*counts[1:], all=True)}
    limits = caps_of(owner_id).loads
    return {
        load: Room(load=load, used=used.get(load.value, 0), limit=limits[load]) for load in Load
    }


def require_capacity(owner_id: uuid.UUID, load: Load) -> None:
    """TooMuchAtOnce unless one more may wait. In the transaction that adds it: two at once do not
    share the last place.
    """
    governance.take_turn(f"{load} of {owner_id}")
    room = rooms_of(owner_id)[load]
    if room.left:
        return
    ways = "wait until one has begun, or cancel one" if load == Load.JOBS else "wait for one to end"
    most = CAPS[PAYING.name].loads[load]
    more = f"; who has bought or earned credits may have {most}" if room.limit < most else ""
    raise TooMuchAtOnce(
        f"{load}: you have {room.used}, and the plan “{plan_of(owner_id).name}” has at most "
        f"{room.limit} at once; {ways}{more}."
    )

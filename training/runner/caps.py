"""How much data a person may bring, by plan. Bytes are bounded when a file is brought; rows,
columns and values by the worker that reads it.
"""

import uuid
from dataclasses import dataclass

from training.runner.plans import FREE, PAYING, plan_of


@dataclass(frozen=True, kw_only=True)
class Caps:
    file_bytes: int  # of one file as it was brought
    rows: int
    columns: int
    values: int  # rows × what a row becomes: words and categories widen it
    datasets: int  # of a person, versions counted
    total_bytes: int  # of a person: files as they were brought, and rows as they are stored

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
    ),
    PAYING.name: Caps(
        file_bytes=100_000_000,
        rows=500_000,
        columns=2_000,
        values=50_000_000,
        datasets=500,
        total_bytes=5_000_000_000,
    ),
}


def caps_of(owner_id: uuid.UUID) -> Caps:
    return CAPS[plan_of(owner_id).name]

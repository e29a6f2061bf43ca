"""A sample of the listings in memory: which of its rows have which token, and their figures.

Counting some thousand rows by a dozen facets takes a database 70 ms, looking at each for what is
asked another 12, and arrays a millisecond. So the database says which rows have the words, and the
rest is compared and counted here: `Snapshot.on` is what `filters.on` is in SQL. Each process keeps
the last sample it has seen; a new one has another stamp.
"""

import datetime
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import and_

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from marketplace.models import Sampled
from marketplace.models.listings import AGES
from marketplace.runner.filters import midnight, scaled
from marketplace.runner.queries import FIELDS, Condition, Query

VALUES_MAX = 12  # of a facet, those with the most
FIGURES = tuple(
    dict.fromkeys(
        ["quality", "value", *(f.column for f in FIELDS.values() if f.kind in ("number", "date"))]
    )
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Snapshot:
    tokens: list[str]  # in the order of the alphabet
    facets: NDArray[np.int64]  # of each token
    cells: NDArray[np.int64]  # the tokens of each row, by their places in `tokens`
    rows_of: dict[str, NDArray[np.int64]]
    figures: dict[str, NDArray[np.float64]]

    @property
    def rows(self) -> int:
        return len(self.cells)

    def mask(self, places: NDArray[np.integer]) -> Mask:
        found = np.zeros(self.rows, dtype=bool)
        found[places] = True
        return found

    def count(self, mask: Mask) -> Counter[str]:
        """Of each facet the tokens with the most rows, and under "" the rows."""
        counts = np.bincount(self.cells[mask].ravel(), minlength=len(self.tokens))
        some = np.flatnonzero(counts)
        some = some[np.lexsort((some, -counts[some], self.facets[some]))]
        begins = np.searchsorted(self.facets[some], self.facets[some])
        most = some[np.arange(len(some)) - begins < VALUES_MAX]
        counted = {self.tokens[place]: int(counts[place]) for place in most}
        return Counter({**counted, "": int(mask.sum())})

    def on(self, query: Query, name: str) -> Mask:
        """All its conditions on one thing."""
        return reduce(and_, map(self.compared, query.on(name)))

    def compared(self, condition: Condition) -> Mask:
        found = self.condition_of(condition)
        return ~found if condition.is_excluded else found

    def condition_of(self, condition: Condition) -> Mask:
        if condition.is_figure:
            is_judged = self.having([f"metric:{condition.name}"])
            return is_judged & bounded(self.figures["value"], condition, 1)
        field = FIELDS[condition.name]
        if field.kind == "date":
            return dated(self.figures[field.column], condition)
        if condition.values:
            return self.having([f"{condition.name}:{value}" for value in condition.values])
        return bounded(self.figures[field.column], condition, field.scale)

    def having(self, tokens: list[str]) -> Mask:
        places = [self.rows_of[token] for token in tokens if token in self.rows_of]
        return self.mask(np.concatenate(places) if places else np.zeros(0, dtype=int))


def bounded(figures: NDArray[np.float64], condition: Condition, scale: float) -> Mask:
    """What is not a number is within no bounds."""
    found = ~np.isnan(figures)
    if condition.low is not None:
        low = scaled(condition.low, scale)
        found &= figures > low if condition.operator == ">" else figures >= low
    if condition.high is not None:
        high = scaled(condition.high, scale)
        found &= figures < high if condition.operator == "<" else figures <= high
    return found


def dated(seconds: NDArray[np.float64], condition: Condition) -> Mask:
    if condition.values:
        days = int(condition.values[0].removesuffix("d"))
        since = timezone.now() - datetime.timedelta(days=days)
        return np.asarray(seconds > since.timestamp())
    found = np.ones(len(seconds), dtype=bool)
    if condition.low is not None:
        found &= seconds >= midnight(condition.low).timestamp()
    if condition.high is not None:
        found &= seconds < midnight(condition.high).timestamp()
    return found


@lru_cache(maxsize=1)
def snapshot(stamp: datetime.datetime) -> Snapshot:
    """The sample of this stamp."""
    rows = list(Sampled.objects.order_by("place").values_list("tokens", *FIGURES))
    figures = {
        name: np.array([number(row[index]) for row in rows], dtype=float)
        for index, name in enumerate(FIGURES, 1)
    }
    ages = (stamp.timestamp() - figures["published_at"]) // 86_400
    bands = np.searchsorted(AGES, ages, side="right")
    said = [[*row[0], f"published:{band}"] for row, band in zip(rows, bands, strict=True)]
    tokens = sorted({token for row in said for token in row})
    places = {token: place for place, token in enumerate(tokens)}
    cells = np.array([[places[token] for token in row] for row in said], dtype=int)
    names = [token.split(":", 1)[0] for token in tokens]
    facets = np.unique(np.array(names, dtype=str), return_inverse=True)[1]
    return Snapshot(tokens, facets, cells, rows_of(tokens, cells), figures)


def rows_of(tokens: list[str], cells: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """By token, the rows that have it."""
    if not cells.size:
        return {}
    order = np.argsort(cells, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(cells.ravel(), minlength=len(tokens)))
    parts = np.split(order // cells.shape[1], ends[:-1])
    return dict(zip(tokens, parts, strict=True))


def number(value: float | datetime.datetime | None) -> float:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    return float("nan") if value is None else float(value)

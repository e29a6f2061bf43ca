"""Measures a page of the catalogue on invented listings: searches, facets, orders, deep pages.

What is timed is what the database does for a page, as this process sees it; the time that its
backend was on a processor, since on a busy machine the first also counts who else was served; and
the whole search, with what Python makes of the answers. Of each kind of search the median is told.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from marketplace import services as marketplace
from marketplace.models import Listing, Overview
from marketplace.runner import inventions

LENGTH = 24
ROUNDS = 5
DEEP = 40  # pages
TIMES = ("ms", "processor_ms", "whole_ms")
MIX = [
    *(("", order) for order in marketplace.ORDERS),
    *(("digit", order) for order in marketplace.ORDERS),
    ("quantised digit reader", "relevance"),
    ('"fast digit classifier"', "relevance"),
    ("classifier -digit", "downloads"),
    ("imgae clasifier", "relevance"),
    ("category:vision", "fastest"),
    ("category:vision,nlp price:0", "newest"),
    ("digit category:vision price:0", "relevance"),
    ("category:vision price:0 latency<0.05 accuracy>0.95", "relevance"),
    ("licence:MIT certificate:basic category:regression", "rating"),
    ("author:generated-3", "newest"),
    ("author:generated-15000", "downloads"),
    ("dataset:dataset-300", "trending"),
    ("params<100k published>2026-01-01 commercial:yes", "smallest"),
    ("latency<0.001", "fastest"),
    ("price>500", "price"),
    ("forecaster mase<0.7", "accuracy"),
    ("architecture:cnn tier:large certificate:basic category:regression", "relevance"),
    ("published:30d plan:free", "trending"),
]


class Command(BaseCommand):
    help = "Measure searches, facets and deep pages on what seed_catalogue has invented."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=int, default=ROUNDS)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if not inventions.are_there():
            raise CommandError("There are no invented listings; run manage.py seed_catalogue.")
        with inventions.asked_there():
            found = self.measure(options["rounds"])
        if options["json"]:
            self.stdout.write(json.dumps(found))
            return
        for row in sorted(found["searches"], key=lambda row: -row["ms"]):
            self.stdout.write(
                f"{row['ms']:7.1f} ms in the database, {row['processor_ms']:6.1f} on a processor, "
                f"{row['whole_ms']:6.1f} in all {row['queries']:2} queries "
                f"{row['found']:>12}  {row['order']:9} {row['query']}"
            )
        self.stdout.write(json.dumps({name: found[name] for name in found if name != "searches"}))

    def measure(self, rounds: int) -> dict[str, Any]:
        searches = [row for _ in range(rounds + 1) for row in map(self.search, MIX)][len(MIX) :]
        kinds = [typical([row for row in searches if key_of(row) == asked]) for asked in MIX]
        return {
            "rows": Listing.objects.count(),
            "sampled": Overview.objects.now().sampled,
            "rounds": rounds,
            "load": os.getloadavg()[0],
            "ms": spread([row["ms"] for row in searches]),
            "processor_ms": spread([row["processor_ms"] for row in searches]),
            "whole_ms": spread([row["whole_ms"] for row in searches]),
            "queries_most": max(row["queries"] for row in searches),
            "deep_ms": [self.deep("digit", "newest"), self.deep("", "downloads")],
            "searches": kinds,
        }

    def search(self, asked: tuple[str, str]) -> dict[str, Any]:
        text, order = asked
        began = time.perf_counter()
        with watched() as spent:
            results = marketplace.search_catalogue(
                query=marketplace.read_query(text),
                order=marketplace.order_named(order),
                length=LENGTH,
            )
        took = {"whole_ms": 1e3 * (time.perf_counter() - began)}
        return {"query": text, "order": order, "found": str(results.total)} | spent() | took

    def deep(self, text: str, order: str) -> dict[str, Any]:
        """What the first page takes, and one after many."""
        times, cursor = [], ""
        for _ in range(DEEP):
            with watched() as spent:
                results = marketplace.search_catalogue(
                    query=marketplace.read_query(text),
                    order=marketplace.order_named(order),
                    length=LENGTH,
                    cursor=cursor,
                )
            times.append(spent()["processor_ms"])
            cursor = results.cursor
        return {"query": text, "order": order, "first": times[0], f"page {DEEP}": times[-1]}


def key_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["query"], row["order"]


def typical(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same search asked several times, as one."""
    times = {name: median(row[name] for row in rows) for name in TIMES}
    return rows[0] | times


def spread(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "most": max(values)}


@contextmanager
def watched() -> Iterator[Callable[[], dict[str, Any]]]:
    """What the statements inside take."""
    times: list[tuple[float, float]] = []

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began, used = time.perf_counter(), processor_seconds()
        try:
            return run(sql, params, many, context)
        finally:
            times.append((time.perf_counter() - began, processor_seconds() - used))

    with connection.execute_wrapper(execute):
        yield lambda: {
            "ms": 1e3 * sum(wall for wall, _ in times),
            "processor_ms": 1e3 * sum(used for _, used in times),
            "queries": len(times),
        }


def processor_seconds() -> float:
    """Of the backend that serves us, where it runs on this machine; else 0."""
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return int(stat.read_text().split()[0]) / 1e9 if stat.exists() else 0.0

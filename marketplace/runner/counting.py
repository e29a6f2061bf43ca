"""How many listings there are of each kind, beside what is asked.

Each row is labelled by what it misses: 0 where it has all that is asked, i where it fails the i-th
filter alone. A facet's own counts leave its own filter out, so they are those of 0 and of its i
together; and what is found without a filter is known at once.

Up to `SAMPLE_FROM` listings all are counted, in one statement. Beyond that a sample is
(`snapshots`), and its counts are estimates; where it holds fewer than `HITS_LEAST` of what is asked
the listings themselves are counted, which are few then and come from the index. An estimate is
never given as exact: `Count` says which it is. From h sampled rows it is right to about 1/√h, so it
is rounded to the digits that are known.

Whoever wants a page of them (`Wanted`) gets it from that same look where the listings are counted,
since to find them is what costs.
"""

import math
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from marketplace.models import Listing, Overview, Sampled
from marketplace.models.listings import AGES
from marketplace.runner import filters
from marketplace.runner.queries import Query
from marketplace.runner.snapshots import VALUES_MAX, Mask, Snapshot, snapshot

SAMPLE_FROM = 4_000  # listings
SAMPLE_ROWS = 16_000
HITS_LEAST = 40  # in the sample, to say how many are found
HITS_ROUGH = 16  # to say how many would be without one filter
ROWS_MAX = 4_000  # that are counted one by one
GATHERED_MAX = 8_000  # that are gathered to be sorted
GROUPS_MAX = 8  # filters whose own counts are made

COUNT = """
WITH hit AS MATERIALIZED ({rows}),
said AS (
    SELECT miss, token, count(*) AS rows FROM hit
    CROSS JOIN LATERAL unnest(
        tokens || ('published:'
            || width_bucket(extract(epoch FROM now() - published_at) / 86400, %s))
    ) AS token
    GROUP BY miss, token
),
placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY miss, split_part(token, ':', 1) ORDER BY rows DESC, token
    ) AS place FROM said
)
{page}
SELECT miss, token, rows, NULL, NULL FROM placed WHERE place <= %s
UNION ALL SELECT miss, '', count(*), NULL, NULL FROM hit GROUP BY miss
"""
PAGE = """
(SELECT 0 AS miss, NULL AS token, NULL::bigint AS rows, template_id, key FROM hit
WHERE miss = 0 {behind} ORDER BY key {way}, template_id {way} LIMIT %s) UNION ALL
"""
PLACES = """
SELECT coalesce(string_agg(int2send(place), ''::bytea), ''::bytea) FROM ({rows}) hit
"""


@dataclass(frozen=True)
class Count:
    """`rows` of the sample stand for `number` listings; where it is exact there is no sample."""

    number: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.number:,}" if self.is_exact else f"≈ {self.number:,}"


@dataclass(frozen=True)
class Wanted:
    """A page of what is found: so many, behind a key and an id."""

    key: Any  # an expression
    descending: bool
    length: int
    behind: tuple[Any, str] | None = None

    def statement(self) -> tuple[str, list[Any]]:
        way, sign = ("DESC", "<") if self.descending else ("ASC", ">")
        behind = f"AND (key, template_id) {sign} (%s, %s)" if self.behind else ""
        return PAGE.format(way=way, behind=behind), [*(self.behind or ()), self.length]


Sorted = list[tuple[Any, uuid.UUID]]  # keys and ids


@dataclass(frozen=True)
class Tally:
    """What was counted, by what rows miss; `share` of all listings were looked at."""

    rows: dict[int, Counter[str]] = field(default_factory=dict)
    page: Sorted | None = None  # of what misses nothing
    share: float = 1.0
    is_live: bool = True  # a sample is some minutes old, even where it is everything

    def hits(self, *misses: int) -> int:
        return sum(self.rows[miss][""] for miss in misses if miss in self.rows)

    def tokens(self, *misses: int) -> dict[str, Count]:
        total: Counter[str] = Counter()
        for miss in misses:
            total.update(self.rows.get(miss, {}))
        return {token: self.count(rows) for token, rows in total.items()}

    def count(self, rows: int) -> Count:
        if self.share == 1:
            return Count(rows, is_exact=self.is_live)
        return Count(rounded(rows / self.share, rows), is_exact=False)


def rounded(estimate: float, hits: int) -> int:
    """One digit of what stands on fewer than 400 rows, two beyond, three beyond 40,000."""
    digits = 1 if hits < 400 else 2 if hits < 40_000 else 3
    if estimate < 1:
        return 0
    scale = 10 ** max(0, math.floor(math.log10(estimate)) + 1 - digits)
    return int(round(estimate / scale) * scale)


@dataclass(frozen=True)
class Found:
    """How many listings a query has, and each facet's own counts."""

    total: Count
    facets: dict[str, dict[str, Count]]  # by the filter that is left out; "" where none is
    without: dict[str, Count]  # what is found when one filter is dropped
    sampled: "Matching | None" = None  # where there are too many to look at all
    is_walked: bool = False
    page: Sorted | None = None  # the one that was wanted, where they were all looked at

    @property
    def is_rare(self) -> bool:
        """Whether its listings are so few that all of them may be gathered."""
        if self.is_walked:
            return False
        return self.sampled is None or (self.total.is_exact and self.total.number < ROWS_MAX)

    @property
    def is_gathered(self) -> bool:
        """Whether gathering them takes less than a walk may, in which they could all come last."""
        return not self.is_walked and (self.is_rare or self.total.number <= GATHERED_MAX)


@dataclass(frozen=True)
class Matching:
    """The rows of a sample that match; `share` of all listings are in the sample."""

    snapshot: Snapshot
    mask: Mask
    share: float

    def least_quality(self, wanted: int) -> float | None:
        """The quality above which about so many match; nothing where all of them are fewer."""
        found = np.sort(self.snapshot.figures["quality"][self.mask])[::-1]
        last = math.ceil(wanted * self.share)
        return float(found[last]) if last < len(found) else None

    def are_few_above(self, quality: float) -> bool:
        """Whether those of a higher quality, matching or not, are few enough to look at each."""
        above = np.count_nonzero(self.snapshot.figures["quality"] >= quality)
        return bool(above <= GATHERED_MAX * self.share)


# Where nothing is asked, and no count either.
EVERYTHING = Found(total=Count(0, is_exact=False), facets={"": {}}, without={}, is_walked=True)


def look(query: Query, overview: Overview | None = None, wanted: Wanted | None = None) -> Found:
    overview = overview or Overview.objects.now()
    groups = query.names[:GROUPS_MAX]
    if not overview.sampled:
        rows = labelled(Listing.objects.all(), query, groups)
        return found_in(groups, tally(rows, wanted=wanted))
    kept = snapshot(overview.counted_at)
    share = overview.sampled / overview.listings
    if query == Query():
        everything = Matching(kept, np.ones(kept.rows, dtype=bool), share)
        return found_in(groups, Tally({0: Counter(dict(overview.facets))}), sampled=everything)
    masks = masks_of(query, groups, kept)
    counts = {miss: kept.count(mask) for miss, mask in enumerate(masks)}
    counted = Tally(counts, share=share, is_live=False)
    exact = None
    if counted.hits(0) < HITS_LEAST:
        few = [miss for miss in range(1, len(masks)) if counted.hits(0, miss) < HITS_ROUGH]
        exact = counted_few(query, groups, few, wanted)
    return found_in(groups, counted, exact, Matching(kept, masks[0], share))


def sql_of(rows: "QuerySet[Any]") -> tuple[str, tuple[Any, ...]]:
    """To stand in another statement, also where Django knows that no row can have what is asked,
    such as a number beyond its column.
    """
    sql, params = rows.query.get_compiler(DEFAULT_DB_ALIAS, elide_empty=False).as_sql()
    return sql, tuple(params)


def masks_of(query: Query, groups: tuple[str, ...], kept: Snapshot) -> list[Mask]:
    """Which rows of the sample have which label: those that miss nothing, then those that fail one
    group alone, by its place.
    """
    always = worded(query, kept)
    for name in query.names[len(groups) :]:
        always &= kept.on(query, name)
    failed = [~kept.on(query, name) for name in groups]
    failures = np.sum(failed, axis=0, dtype=int) if failed else np.zeros(kept.rows, dtype=int)
    return [always & (failures == 0), *(always & fail & (failures == 1) for fail in failed)]


def worded(query: Query, kept: Snapshot) -> Mask:
    """The rows of the sample that have the words."""
    if not query.terms:
        return np.ones(kept.rows, dtype=bool)
    sql, params = sql_of(Sampled.objects.filter(filters.worded(query)).values_list("place"))
    with connection.cursor() as cursor:
        cursor.execute(PLACES.format(rows=sql), params)
        (places,) = cursor.fetchone()
    return kept.mask(np.frombuffer(places, dtype=">i2"))


def found_in(
    groups: tuple[str, ...],
    counted: Tally,
    exact: Tally | None = None,
    sampled: Matching | None = None,
) -> Found:
    def best(miss: int) -> Tally:
        return exact if exact is not None and miss in exact.rows and 0 in exact.rows else counted

    whole = best(0)
    return Found(
        total=whole.count(whole.hits(0)),
        facets={"": whole.tokens(0)}
        | {name: best(miss).tokens(0, miss) for miss, name in enumerate(groups, 1)},
        without={
            name: best(miss).count(best(miss).hits(0, miss)) for miss, name in enumerate(groups, 1)
        },
        sampled=sampled,
        page=whole.page,
    )


def labelled(rows: Any, query: Query, groups: tuple[str, ...]) -> Any:
    """The rows that fail at most one of the groups, with `miss`."""
    always = filters.plain(query.without(*groups))
    rows = rows.filter(always)
    if not groups:
        return rows.annotate(miss=Value(0))
    tests = [filters.on(query, name) for name in groups]
    whens = [
        When(all_of(test for place, test in enumerate(tests, 1) if place != miss), then=Value(miss))
        for miss in range(len(tests) + 1)
    ]
    miss = Case(*whens, default=Value(-1), output_field=IntegerField())
    return rows.annotate(miss=miss).exclude(miss=-1)


def all_of(tests: Iterable[Q]) -> Q:
    found = Q(pk__isnull=False)  # of every row, since a CASE takes no empty condition
    for test in tests:
        found &= test
    return found


def tally(*rows: Any, wanted: Wanted | None = None) -> Tally:
    """Count what was labelled, in one statement."""
    parts, params, columns = [], list[Any](), ["miss", "tokens", "published_at"]
    page, behind = wanted.statement() if wanted else ("", [])
    for some in rows:
        if wanted:
            columns = ["miss", "tokens", "published_at", "template_id", "key"]
            some = some.annotate(key=wanted.key)
        sql, values = sql_of(some.values_list(*columns))
        parts.append(f"({sql})")
        params += values
    found: dict[int, Counter[str]] = defaultdict(Counter)
    first: Sorted = []
    with connection.cursor() as cursor:
        statement = COUNT.format(rows=" UNION ALL ".join(parts), page=page)
        cursor.execute(statement, [*params, list(AGES), *behind, VALUES_MAX])
        for miss, token, count, id, key in cursor.fetchall():
            if token is None:
                first.append((key, id))
            else:
                found[miss][token] = count
    if not wanted:
        return Tally(dict(found))
    return Tally(dict(found), sorted(first, reverse=wanted.descending))


def counted_few(
    query: Query, groups: tuple[str, ...], few: list[int], wanted: Wanted | None
) -> Tally | None:
    """The listings themselves, and those of the labels that the sample hardly knows."""
    labels = [0, *few]
    parts = []
    for miss in labels:
        name = groups[miss - 1] if miss else None
        asked = filters.indexed(query.without(name) if name else query)
        if name:
            asked &= ~filters.on(query, name)
        parts.append(Listing.objects.filter(asked).annotate(miss=Value(miss))[:ROWS_MAX])
    found = tally(*parts, wanted=wanted)
    for miss in labels:
        found.rows.setdefault(miss, Counter())
    cut = [miss for miss in labels if found.hits(miss) >= ROWS_MAX]
    for miss in cut:
        del found.rows[miss]
    return found

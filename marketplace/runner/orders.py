"""The orders that people may ask for, and a page of results in one of them.

Every order is total: equal keys are told apart by the id. A page begins behind the last row of the
one before (a keyset, not an offset), so the thousandth page costs what the first does, and rows
that come meanwhile neither repeat nor hide any.

Where what is asked is rare, its rows are gathered by the index over words and tokens and sorted;
where it is common, the index of the order is walked until a page is full. Which of both is known
from the count beside it and not left to the planner, who can only guess how words and figures hang
together.

    relevance = text · (1 + quality)

Text is PostgreSQL's ts_rank: where the words stand (name 1, summary and author 0.4, category and
dataset 0.2, description 0.1), how often, in how long a text.

Of common words the `CANDIDATES` of the highest quality are ranked so; behind them come the others
by quality.
"""

import base64
import datetime
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchRank
from django.db import connection
from django.db.models import BooleanField, F, FloatField, Func, Q, QuerySet, Value

from marketplace.models import Listing
from marketplace.runner import filters
from marketplace.runner.counting import Found, Wanted, sql_of
from marketplace.runner.queries import Query

CANDIDATES = 240  # ten pages
METRIC = "accuracy"  # whose models stand first where no figure is named

GATHER = """
WITH gathered AS MATERIALIZED ({rows})
SELECT template_id, key FROM gathered {where} ORDER BY key {way}, template_id {way} LIMIT %s
"""


class InvalidCursor(ValueError):
    """Not one of ours, or of another order."""


@dataclass(frozen=True)
class Order:
    name: str
    label: str
    definition: str
    key: str
    descending: bool = True


ORDERS = {
    order.name: order
    for order in (
        Order(
            "relevance",
            "Most relevant",
            "how well the words match, times one plus quality; without words, quality alone: "
            "0.4 certificate + 0.3 rating + 0.3 downloads (logarithmic), each from 0 to 1",
            "quality",
        ),
        Order(
            "trending",
            "Trending",
            "people who took it in the last 7 days, each counting half as much every 2 days",
            "trend",
        ),
        Order("downloads", "Most downloaded", "people who ever took it, each once", "downloads"),
        Order(
            "rating",
            "Highest rated",
            "mean of its stars and of five imaginary reviews of 3.5 stars (a Bayesian mean), so "
            "that one review of five stars is not better than a hundred of 4.8",
            "rating",
        ),
        Order("newest", "Newest", "when it was first published", "published_at"),
        Order(
            "fastest",
            "Fastest",
            "median time of one row, as our validation measured it",
            "latency_p50_ms",
            descending=False,
        ),
        Order(
            "accuracy",
            "Most accurate",
            "the measured figure of its test rows, among models that are judged by the same one",
            "goodness",
        ),
        Order("smallest", "Smallest", "bytes of its file", "size_bytes", descending=False),
        Order("price", "Cheapest", "its price, once", "price_microcredits", descending=False),
    )
}


@dataclass(frozen=True)
class Page:
    ids: list[uuid.UUID]
    cursor: str  # where the next one begins; empty at the end


def metric_of(query: Query, found: Found) -> str:
    """The one figure that “most accurate” compares: what is asked for, or what most have."""
    named = [condition.name for condition in query.conditions if condition.is_figure]
    named += [value for condition in query.on("metric") for value in condition.values]
    if named:
        return named[0]
    counts = {
        token.removeprefix("metric:"): count.number
        for token, count in found.facets[""].items()
        if token.startswith("metric:")
    }
    return max(counts, key=lambda name: (counts[name], name), default=METRIC)


def is_judged_by_one(query: Query) -> bool:
    """Whether all that is found is judged by the figure that `metric_of` names."""
    names = [condition.name for condition in query.conditions if condition.is_figure]
    return bool(names) and not all(condition.is_excluded for condition in query.on(names[0]))


def wanted(query: Query, order: Order, place: "Place", length: int) -> Wanted | None:
    """What `counting.look` finds a page by; nothing where it takes more than one look."""
    key: Any = F(order.key)
    if order.name == "accuracy" and not is_judged_by_one(query):
        return None  # which figure is compared is known from what is found
    if order.name == "relevance" and query.terms:
        if place.least is not None:
            return None  # among candidates, or behind them
        key = relevance(query)
    behind = (place.key, place.id) if place.id else None
    return Wanted(key, order.descending, length + 1, behind)


def page_of(query: Query, order: Order, *, found: Found, place: "Place", length: int) -> Page:
    if order.name == "accuracy":
        rows = Listing.objects.filter(metric=metric_of(query, found))
    else:
        rows = Listing.objects.all()
    if found.page is not None:
        keys = [
            Key(id, Place(key, str(id), place.least, place.is_ranked)) for key, id in found.page
        ]
    elif order.name == "relevance" and query.terms:
        keys = ranked(query, rows, found, place, length + 1)
    elif found.is_gathered:
        rows = rows.filter(filters.indexed(query)).annotate(key=F(order.key))
        keys = gathered(rows, place, length + 1, order.descending)
    else:
        keys = walked(rows.filter(filters.plain(query)), order, place, length + 1)
    more = len(keys) > length
    following = write_cursor(order, keys[length - 1].place) if more else ""
    return Page([key.id for key in keys[:length]], following)


@dataclass(frozen=True)
class Place:
    """Behind which row a page begins. `least` is the quality of the last candidate, below which
    nothing was ranked; `is_ranked` while the page is among the candidates.
    """

    key: Any = None
    id: str = ""
    least: float | None = None
    is_ranked: bool = True


@dataclass(frozen=True)
class Key:
    id: uuid.UUID
    place: Place


def gathered(rows: "QuerySet[Any]", place: Place, length: int, descending: bool) -> list[Key]:
    """All rows, which are few, then the page among them."""
    sql, params = sql_of(rows.order_by().values_list("template_id", "key"))
    where, behind = "", []
    if place.id:
        where = f"WHERE (key, template_id) {'<' if descending else '>'} (%s, %s)"
        behind = [place.key, place.id]
    statement = GATHER.format(rows=sql, where=where, way="DESC" if descending else "ASC")
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, *behind, length])
        return [
            Key(id, Place(key, str(id), place.least, place.is_ranked))
            for id, key in cursor.fetchall()
        ]


def walked(rows: "QuerySet[Listing]", order: Order, place: Place, length: int) -> list[Key]:
    way = "-" if order.descending else ""
    if place.id:
        rows = rows.filter(behind(order, place))
    found = rows.order_by(f"{way}{order.key}", f"{way}template_id").values_list("pk", order.key)
    return [
        Key(id, Place(key, str(id), place.least, is_ranked=False)) for id, key in found[:length]
    ]


def behind(order: Order, place: Place) -> Q:
    """A comparison of rows, which an index over both columns answers at once."""
    key, id = Value(place.key), Value(uuid.UUID(place.id))
    way = "<" if order.descending else ">"
    return Q(RowComparison(F(order.key), F("pk"), key, id, way=way, output_field=BooleanField()))


class RowComparison(Func):
    """`(a, b) < (c, d)`, as SQL compares rows."""

    arity = 4

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> Any:
        parts, params = [], []
        for source in self.get_source_expressions():
            sql, values = compiler.compile(source)
            parts.append(sql)
            params += values
        first, second, third, fourth = parts
        return f"({first}, {second}) {self.extra['way']} ({third}, {fourth})", params


def ranked(
    query: Query, rows: "QuerySet[Listing]", found: Found, place: Place, length: int
) -> list[Key]:
    """The candidates by relevance; behind them, where there are more, the others by quality."""
    least = place.least
    if not place.id and not found.is_rare and found.sampled is not None:
        least = found.sampled.least_quality(CANDIDATES)
    keys: list[Key] = []
    if place.is_ranked:
        candidates = rows if least is None else rows.filter(quality__gte=least)
        if least is not None and found.sampled is not None and found.sampled.are_few_above(least):
            candidates = candidates.filter(filters.unindexed(filters.plain(query)))
        else:
            candidates = candidates.filter(filters.indexed(query))
        candidates = candidates.annotate(key=relevance(query))
        start = Place(place.key, place.id, least)
        keys = gathered(candidates, start, length, descending=True)
        place = Place(least=least, is_ranked=False)
    if len(keys) < length and least is not None:
        others = rows.filter(filters.plain(query), quality__lt=least)
        keys += walked(others, ORDERS["relevance"], place, length - len(keys))
    return keys


def relevance(query: Query) -> Func:
    rank = SearchRank(F("words"), filters.searched(query), normalization=Value(1))
    score = rank * (1.0 + F("quality"))
    return Func(score, template="(%(expressions)s)::float8", output_field=FloatField())


def write_cursor(order: Order, place: Place) -> str:
    key = place.key.isoformat() if isinstance(place.key, datetime.datetime) else place.key
    said = json.dumps([order.name, key, place.id, place.least, int(place.is_ranked)])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def read_cursor(cursor: str, order: Order) -> Place:
    if not cursor:
        return Place()
    try:
        said = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        name, key, id, least, is_ranked = json.loads(said)
        if name != order.name or not isinstance(id, str):
            raise ValueError(name, id)
        read = moment if order.key == "published_at" else float
        least = None if least is None else float(least)
        return Place(read(key), str(uuid.UUID(id)), least, bool(is_ranked))
    except (ValueError, TypeError, OverflowError, RecursionError) as fault:
        raise InvalidCursor(
            "The place in the list cannot be read; start from its beginning."
        ) from fault


def moment(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found

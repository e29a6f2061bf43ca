"""Queries as conditions on the rows of listings.

There are forms of the same condition. `plain` compares columns, which is what a walk along an
order wants; `unindexed` keeps it from being more. `indexed` adds what the GIN index over words and
tokens can answer by itself, so that few rows are gathered without a look at the others.
"""

import datetime
from bisect import bisect_right
from functools import reduce
from operator import and_

from django.contrib.postgres.search import SearchQuery
from django.db.models import BooleanField, ExpressionWrapper, Func, Q
from django.utils import timezone

from marketplace.models.listings import BANDS, SCORE_BANDS, SHARES
from marketplace.runner.queries import FIELDS, Condition, Query
from training.models import Licence

LANGUAGE = "english"
UNCOMMERCIAL = ["", Licence.CC_BY_NC, Licence.OTHER]


def searched(query: Query) -> SearchQuery:
    return SearchQuery(query.text, config=LANGUAGE, search_type="websearch")


def worded(query: Query) -> Q:
    return Q(words=searched(query)) if query.terms else Q()


def plain(query: Query) -> Q:
    """All that it asks."""
    return reduce(and_, (on(query, name) for name in query.names), worded(query))


def on(query: Query, name: str) -> Q:
    """All its conditions on one thing."""
    return reduce(and_, map(compared, query.on(name)), Q())


def unindexed(condition: Q) -> Func:
    """The same, said so that no index is searched for it: only the rows at hand are looked at."""
    wrapped = ExpressionWrapper(condition, output_field=BooleanField())
    return Func(wrapped, template="(%(expressions)s) IS TRUE", output_field=BooleanField())


def indexed(query: Query) -> Q:
    return reduce(and_, map(tokened, query.conditions), plain(query))


def compared(condition: Condition) -> Q:
    found = condition_of(condition)
    return ~found if condition.is_excluded else found


def condition_of(condition: Condition) -> Q:
    if condition.is_figure:
        return Q(metric=condition.name) & bounded("value", condition, 1)
    field = FIELDS[condition.name]
    if field.name == "commercial":
        found = Q(licence__in=UNCOMMERCIAL)
        return (
            found if condition.values == ("no",) else ~found if len(condition.values) == 1 else Q()
        )
    if field.kind == "date":
        return dated(condition)
    if condition.values:
        return Q(**{f"{field.column}__in": condition.values})
    return bounded(field.column, condition, field.scale)


def bounded(column: str, condition: Condition, scale: float) -> Q:
    found = Q()
    if condition.low is not None:
        lookup = "gt" if condition.operator == ">" else "gte"
        found &= Q(**{f"{column}__{lookup}": scaled(condition.low, scale)})
    if condition.high is not None:
        lookup = "lt" if condition.operator == "<" else "lte"
        found &= Q(**{f"{column}__{lookup}": scaled(condition.high, scale)})
    return found


def scaled(number: float, scale: float) -> float:
    return round(number * scale) if scale != 1 else number


def dated(condition: Condition) -> Q:
    if condition.values:
        days = int(condition.values[0].removesuffix("d"))
        return Q(published_at__gt=timezone.now() - datetime.timedelta(days=days))
    found = Q()
    if condition.low is not None:
        found &= Q(published_at__gte=midnight(condition.low))
    if condition.high is not None:
        found &= Q(published_at__lt=midnight(condition.high))
    return found


def midnight(ordinal: float) -> datetime.datetime:
    day = datetime.date.fromordinal(int(ordinal))
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def tokened(condition: Condition) -> Q:
    """What the index knows of it; nothing where it knows nothing."""
    if condition.is_excluded:
        return Q()
    if condition.name in SHARES:
        return banded(condition.name, condition, SCORE_BANDS)
    if condition.is_figure:
        return Q(tokens__contains=[f"metric:{condition.name}"])
    if condition.name in BANDS:
        return banded(condition.name, condition, BANDS[condition.name][1])
    if FIELDS[condition.name].kind in ("choice", "name"):
        return Q(tokens__overlap=[f"{condition.name}:{value}" for value in condition.values])
    return Q()


def banded(name: str, condition: Condition, edges: tuple[float, ...]) -> Q:
    """The bands that it reaches into."""
    scale = FIELDS[name].scale if name in FIELDS else 1
    first = 0 if condition.low is None else bisect_right(edges, scaled(condition.low, scale))
    last = (
        len(edges) if condition.high is None else bisect_right(edges, scaled(condition.high, scale))
    )
    return Q(tokens__overlap=[f"{name}:{band}" for band in range(first, last + 1)])

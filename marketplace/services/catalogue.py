"""Searching the catalogue: one question, asked by the page and by programs alike."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count as Number
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from governance.services import Refusal
from marketplace.models import Listing, Overview, Purchase, Template
from marketplace.runner import counting, orders, spelling
from marketplace.runner.counting import Count, Found
from marketplace.runner.facets import Shown, facets_of
from marketplace.runner.orders import ORDERS, InvalidCursor, Order
from marketplace.runner.queries import Query, parse, write, write_condition, write_term

DEFAULT_ORDER = "relevance"


class UnknownPlace(Refusal):
    """A cursor that is none of ours, or of another order."""

    status = 400


@dataclass(frozen=True)
class Chip:
    """A part of the query, and the query without it; `count` where that is known."""

    text: str
    query: str
    count: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    query: Query
    order: Order
    total: Count | None
    listings: list[Listing] = field(default_factory=list)
    cursor: str = ""
    facets: list[Shown] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    ways_out: list[Chip] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    meant: dict[str, str] = field(default_factory=dict)  # what was typed, and what was looked for

    @property
    def text(self) -> str:
        return write(self.query)


def read_query(text: str, more: Iterable[tuple[str, str]] = ()) -> Query:
    """What a person typed, with conditions that came beside it."""
    parts = [text, *(f'{name}:"{value}"' for name, value in more if value)]
    return parse(" ".join(parts))


def spelled(query: Query) -> str:
    """A query as it is typed."""
    return write(query)


def order_named(name: str) -> Order:
    return ORDERS.get(name) or ORDERS[DEFAULT_ORDER]


def search_catalogue(
    *, query: Query, order: Order, cursor: str = "", length: int, is_literal: bool = False
) -> Results:
    """A page of what is found, with its facets. Words that nobody uses are taken for those that
    were meant, unless they are `literal`.
    """
    overview, place = Overview.objects.now(), place_of(cursor, order)

    def look(asked: Query) -> Found:
        return counting.look(asked, overview, orders.wanted(asked, order, place, length))

    found, meant = look(query), {}
    if not found.total.number and query.terms and not is_literal:
        corrected = spelling.correct(query)
        if corrected is not None and (better := look(corrected.query)).total.number:
            query, found, meant = corrected.query, better, corrected.words
    page = orders.page_of(query, order, found=found, place=place, length=length)
    listed = Listing.objects.defer("words", "tokens").in_bulk(page.ids)
    return Results(
        query=query,
        order=order,
        total=found.total,
        listings=[listed[id] for id in page.ids if id in listed],
        cursor=page.cursor,
        facets=facets_of(query, found),
        chips=chips_of(query),
        ways_out=ways_out(query, found, overview) if not found.total.number else [],
        meant=meant,
        notes=query.notes,
    )


def place_of(cursor: str, order: Order) -> orders.Place:
    try:
        return orders.read_cursor(cursor, order)
    except InvalidCursor as fault:
        raise UnknownPlace(str(fault)) from fault


def list_templates(
    *, query: Query, order: Order, cursor: str, length: int
) -> tuple[list[tuple[Template, int]], str]:
    """The same for programs: each with its sales, and where the next page begins."""
    place, found = place_of(cursor, order), counting.EVERYTHING
    if query != Query():
        found = counting.look(query, wanted=orders.wanted(query, order, place, length))
    page = orders.page_of(query, order, found=found, place=place, length=length)
    bought = Purchase.objects.filter(template=OuterRef("pk")).order_by().values("template")
    sales = Coalesce(Subquery(bought.annotate(number=Number("pk")).values("number")), 0)
    shown = Template.objects.public().with_current().filter(pk__in=page.ids).annotate(sales=sales)
    found_rows: list[Any] = list(shown)  # `sales` is annotated
    rows = {row.pk: (row, row.sales) for row in found_rows}
    return [rows[id] for id in page.ids if id in rows], page.cursor


def chips_of(query: Query) -> list[Chip]:
    parts = [(write_term(term), term) for term in query.terms]
    chips = [Chip(text, write(query.dropping(term))) for text, term in parts]
    return chips + [
        Chip(write_condition(condition), write(query.dropping(condition)))
        for condition in query.conditions
    ]


def ways_out(query: Query, found: Found, overview: Overview) -> list[Chip]:
    """Which single filter to drop, and how many would be found then."""
    ways = [
        Chip(" ".join(map(write_condition, query.on(name))), write(query.without(name)), count)
        for name, count in found.without.items()
        if count.number
    ]
    if query.terms and query.conditions:
        wordless = Query(conditions=query.conditions)
        if (count := counting.look(wordless, overview).total).number:
            ways.append(Chip(query.text, write(wordless), count))
    return ways

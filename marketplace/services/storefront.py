"""What the home page shows: what is in front, what there is of each kind, what is new, what is
used, and a few numbers that each were counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import BigIntegerField, Count, F, Sum, Value
from django.db.models.functions import Coalesce

from marketplace.models import Listing, Overview, Purchase
from marketplace.runner import counting, orders
from marketplace.runner.counting import Count as Counted
from marketplace.runner.facets import NONE
from marketplace.runner.orders import ORDERS
from marketplace.runner.queries import Query
from marketplace.services.features import Featured, featured_of, live_features
from training.models import Category, Model, Point, Validation

NEWEST_SHOWN, USED_SHOWN = 3, 5
KEPT_SECONDS = 60  # the numbers, since everybody asks for them
Curve = list[tuple[int, float | None]]


@dataclass(frozen=True)
class Tile:
    """A category, and how many templates it has on offer."""

    category: str
    label: str
    count: Counted


@dataclass(frozen=True, kw_only=True)
class Storefront:
    total: Counted
    featured: list[Featured]
    tiles: list[Tile]
    newest: list[Listing]
    used: list[Listing]  # by how many people took it
    numbers: Mapping[str, int]
    showcase: Listing | None  # whose curves are shown
    curves: Mapping[str, Curve]


def storefront() -> Storefront:
    found = counting.look(Query(), Overview.objects.now())
    features = live_features()
    newest, used = first("newest", NEWEST_SHOWN), first("downloads", USED_SHOWN)
    listed = Listing.objects.defer("words", "tokens").in_bulk(
        [*newest, *used, *(feature.template_id for feature in features)]
    )
    featured = featured_of(features, listed)
    shown = [pick.listing for pick in featured] + [listed[id] for id in newest if id in listed]
    showcase = shown[0] if shown else None
    return Storefront(
        total=found.total,
        featured=featured,
        tiles=[
            Tile(value, label, found.facets[""].get(f"category:{value}", NONE))
            for value, label in Category.choices
        ],
        newest=[listed[id] for id in newest if id in listed],
        used=[listed[id] for id in used if id in listed and listed[id].downloads],
        numbers=cache.get_or_set("storefront/numbers", numbers, KEPT_SECONDS) or {},
        showcase=showcase,
        curves=curves_of(showcase) if showcase else {},
    )


def first(order: str, length: int) -> list[Any]:
    """The ids that stand first in an order of the whole catalogue."""
    page = orders.page_of(
        Query(), ORDERS[order], found=counting.EVERYTHING, place=orders.Place(), length=length
    )
    return page.ids


def curves_of(listing: Listing) -> dict[str, Curve]:
    """How the model of its current version learned."""
    version = "job__model__versions"
    points = Point.objects.filter(
        **{f"{version}__template": listing.pk, version: F(f"{version}__template__current")}
    ).order_by("epoch")
    rows = list(points.values_list("epoch", "train_loss", "validation_loss"))
    return {
        "training": [(epoch, loss) for epoch, loss, _ in rows],
        "validation": [(epoch, loss) for epoch, _, loss in rows],
    }


def numbers() -> dict[str, int]:
    """Counted in one statement, which reads whole tables."""
    models = Model.objects.annotate(name_=Value("models")).values("name_")
    done = Validation.objects.filter(status=Validation.Status.DONE)
    rows = done.annotate(name_=Value("rows")).values("name_")
    paid = Purchase.objects.annotate(name_=Value("paid")).values("name_")
    counted = (
        models.order_by()
        .annotate(number=Count("pk"))
        .union(
            rows.order_by().annotate(number=total("rows")),
            paid.order_by().annotate(number=total("author_microcredits")),
            all=True,
        )
    )
    found = {str(name): int(number) for name, number in counted.values_list("name_", "number")}
    return {"models": 0, "rows": 0, "paid": 0} | found


def total(column: str) -> Coalesce:
    return Coalesce(Sum(column), 0, output_field=BigIntegerField())

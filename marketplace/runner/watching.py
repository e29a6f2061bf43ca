"""Watches the catalogue for those who saved a search.

A sweep of a search is one transaction: what it finds becomes its matches, its owner is told in one
notice, and the moment up to which was looked moves on. So a worker that dies has done nothing of
it, and one that did all is not repeated. What was published before that moment may appear after it,
since its transaction ended later; so each sweep looks back by `MARGIN`, and what is a match already
is not found again.
"""

import uuid

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Now

from governance import services as governance
from governance.models import NoticeType
from marketplace.models import Listing, SavedMatch, SavedSearch, SavedSearchQuerySet
from marketplace.runner import filters
from marketplace.runner.listings import MARGIN
from marketplace.runner.queries import parse
from marketplace.runner.sweeping import one_by_one

SEARCHES_AT_ONCE = 10_000  # the next sweep goes on
MATCHES_AT_ONCE = 1_000
NAMED = 3  # of what was found, in the sentence that tells of it


def due() -> SavedSearchQuerySet:
    """Those since whose last sweep, or shortly before it, anything was published."""
    newest = Listing.objects.aggregate(at=Max("published_at"))["at"]
    if newest is None:
        return SavedSearch.objects.none()
    return SavedSearch.objects.filter(owner__is_active=True, swept_at__lt=newest + MARGIN)


def sweep_all() -> None:
    """A query that takes too long, or that no longer reads, stops nobody else's."""
    ids = due().order_by("swept_at").values_list("pk", flat=True)[:SEARCHES_AT_ONCE]
    one_by_one("search_not_swept", list(ids), sweep)
    forget()


@transaction.atomic
def sweep(search_id: uuid.UUID) -> None:
    """Once, whoever else sweeps at the same time: what one has taken in, no other finds."""
    rows = SavedSearch.objects.select_related("owner")
    rows = rows.select_for_update(of=("self",), skip_locked=True)
    search = rows.filter(pk=search_id).first()
    if search is None:
        return
    found = take_in(search)
    if found and search.has_alerts:
        tell_owner(search, found)


def fresh(search: SavedSearch) -> "QuerySet[Listing]":
    """What the search finds of others, published since the last sweep and no match yet."""
    rows = Listing.objects.filter(
        filters.plain(parse(search.query)), published_at__gt=search.swept_at - MARGIN
    )
    known = search.matches.order_by().values("template")
    return rows.exclude(owner=search.owner_id).exclude(pk__in=known)


def take_in(search: SavedSearch) -> list[Listing]:
    """What is fresh becomes matches, within the caller's transaction, which has the search locked.
    Of very much the next sweep takes the rest.
    """
    rows = fresh(search).only("name").order_by("published_at", "pk")
    found = list(rows[:MATCHES_AT_ONCE])
    SavedMatch.objects.bulk_create([SavedMatch(search=search, template_id=row.pk) for row in found])
    if len(found) < MATCHES_AT_ONCE:
        SavedSearch.objects.filter(pk=search.pk).update(swept_at=Now())
    return found


def tell_owner(search: SavedSearch, found: list[Listing]) -> None:
    names = [f"“{row.name}”" for row in found[:NAMED]]
    more = len(found) - len(names)
    said = f"{', '.join(names)} and {more} more" if more else listing(names)
    governance.tell(
        user=search.owner,
        type=NoticeType.SEARCH_FOUND,
        text=f"New for your search “{search.name}”: {said}.",
        url=search.get_absolute_url(),
        data={
            "saved_search_id": str(search.pk),
            "found": len(found),
            "template_ids": [str(row.pk) for row in found[:100]],
        },
    )


def listing(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def forget() -> None:
    """What its owner has seen, and no sweep looks back to any more."""
    SavedMatch.objects.filter(
        found_at__lte=F("search__looked_at"),
        template__published_at__lte=F("search__swept_at") - MARGIN,
    ).delete()

"""Saved searches: keep a question to the catalogue, and be told what is new to it."""

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import SavedSearch
from marketplace.models.searches import QUERY_LENGTH_MAX, SAVED_MAX
from marketplace.runner import watching
from marketplace.runner.orders import ORDERS
from marketplace.runner.queries import Query, parse, write
from marketplace.services.catalogue import DEFAULT_ORDER

NAME_LENGTH_MAX = 80
EVERYTHING = "Everything"


class InvalidSearch(Refusal):
    """A field of a saved search is missing or cannot be read; the text names it."""

    status = 422


class AlreadySaved(Refusal):
    """The same question is saved already; change that one."""


class TooManySearches(Refusal):
    """A person has at most so many saved searches; delete one to save another."""


class SearchGone(Refusal):
    """The saved search was deleted meanwhile, as on another page."""

    status = 404


def saved_as(*, owner: User, query: Query, is_exact: bool = False) -> SavedSearch | None:
    """Under what this person has saved the same question."""
    rows = SavedSearch.objects.of(owner)
    return rows.filter(query=write(query), is_exact=is_exact).first()


def suggested_name(query: Query) -> str:
    text = write(query) or EVERYTHING
    return text if len(text) <= NAME_LENGTH_MAX else f"{text[: NAME_LENGTH_MAX - 1]}…"


@transaction.atomic
def save_search(
    *,
    owner: User,
    query: str,
    name: str = "",
    sort: str = DEFAULT_ORDER,
    is_exact: bool = False,
    has_alerts: bool = True,
) -> SavedSearch:
    """What is on offer now is known; what comes is new."""
    said = checked(name=name, query=query, sort=sort)
    governance.take_turn(f"saved_searches/{owner.pk}")
    require_new(owner, said["query"], is_exact)
    if SavedSearch.objects.of(owner).count() >= SAVED_MAX:
        raise TooManySearches(f"You have {SAVED_MAX} saved searches; delete one to save another.")
    search = SavedSearch.objects.create(
        owner=owner, is_exact=is_exact, has_alerts=has_alerts, **said
    )
    search.refresh_from_db()
    see(search)
    governance.record(actor=owner, verb="save_search", subject=search, details=dict(said))
    return search


@transaction.atomic
def change_search(
    *,
    actor: User,
    search: SavedSearch,
    name: str,
    query: str,
    sort: str,
    is_exact: bool,
    has_alerts: bool,
) -> SavedSearch:
    """Of another question what is on offer now is known."""
    require_owner(actor, search)
    said = checked(name=name, query=query, sort=sort)
    governance.take_turn(f"saved_searches/{actor.pk}")
    search = locked(search)
    is_another = (said["query"], is_exact) != (search.query, search.is_exact)
    if is_another:
        require_new(actor, said["query"], is_exact)
        search.matches.all().delete()
    SavedSearch.objects.filter(pk=search.pk).update(
        is_exact=is_exact, has_alerts=has_alerts, **said
    )
    search.refresh_from_db()
    if is_another:
        see(search)
    governance.record(
        actor=actor,
        verb="change_search",
        subject=search,
        details={**said, "has_alerts": has_alerts},
    )
    return search


@transaction.atomic
def set_alerts(*, actor: User, search: SavedSearch, has_alerts: bool) -> None:
    require_owner(actor, search)
    SavedSearch.objects.filter(pk=search.pk).update(has_alerts=has_alerts)
    governance.record(
        actor=actor, verb="set_alerts", subject=search, details={"has_alerts": has_alerts}
    )


@transaction.atomic
def look_at_search(*, actor: User, search: SavedSearch) -> None:
    """Its owner sees what it finds now, so nothing of it is new, nor told any more."""
    require_owner(actor, search)
    see(locked(search))


@transaction.atomic
def delete_search(*, actor: User, search: SavedSearch) -> None:
    require_owner(actor, search)
    governance.record(
        actor=actor, verb="delete_search", subject=search, details={"name": search.name}
    )
    search.delete()


def locked(search: SavedSearch) -> SavedSearch:
    found = SavedSearch.objects.select_for_update().filter(pk=search.pk).first()
    if found is None:
        raise SearchGone(f"“{search.name}” was deleted meanwhile.")
    return found


def see(search: SavedSearch) -> None:
    watching.take_in(search)
    SavedSearch.objects.filter(pk=search.pk).update(looked_at=Now())
    search.refresh_from_db()


def require_owner(actor: User, search: SavedSearch) -> None:
    if search.owner_id != actor.pk:
        raise governance.NotAllowed("Only its owner looks at a saved search and changes it.")


def require_new(owner: User, query: str, is_exact: bool) -> None:
    other = SavedSearch.objects.of(owner).filter(query=query, is_exact=is_exact).first()
    if other is not None:
        raise AlreadySaved(f"query: you have saved this already, as “{other.name}”.")


def checked(*, name: str, query: str, sort: str) -> dict[str, str]:
    """The query in its shortest spelling, and a name where none was given."""
    read = parse(query)
    if read.notes:
        raise InvalidSearch(f"query: {read.notes[0]}")
    written = write(read)
    if len(written) > QUERY_LENGTH_MAX:
        raise InvalidSearch(f"query: has {len(written):,} letters; at most {QUERY_LENGTH_MAX:,}.")
    if sort not in ORDERS:
        raise InvalidSearch(f"sort: “{sort[:40]}” is none of {', '.join(ORDERS)}.")
    name = " ".join(name.split()) or suggested_name(read)
    if not name.isprintable():
        raise InvalidSearch("name: must be text that people can see, in one line.")
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidSearch(f"name: has {len(name):,} letters; at most {NAME_LENGTH_MAX}.")
    return {"name": name, "query": written, "sort": sort}

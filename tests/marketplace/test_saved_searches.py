"""bob saves a search and is told what is new to it, once, whatever dies meanwhile."""

import json
from datetime import timedelta
from functools import partial

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import services as governance
from governance.models import AuditEntry, Notice, NoticeType, Scope, WebhookDelivery
from marketplace import services as marketplace
from marketplace.models import SavedMatch, SavedSearch, Template
from marketplace.models.searches import SAVED_MAX
from marketplace.runner import watching

pytestmark = pytest.mark.usefixtures("shared_template")

LIST = "/saved-searches/"


@pytest.fixture
def readers(bob, template) -> SavedSearch:
    """bob's, saved when the digit reader was there already."""
    return marketplace.save_search(owner=bob, query="reader category:vision", name="Readers")


def publish(alice, judy, model, name="Letter reader", category="vision") -> Template:
    made = marketplace.publish_template(
        owner=alice, model=model, name=name, description="Reads.", category=category, plan="free"
    )
    return marketplace.approve_template(actor=judy, template=made)


@pytest.fixture
def published(alice, judy, model):
    return partial(publish, alice, judy, model)


def told(user) -> list[str]:
    rows = Notice.objects.of(user).filter(type=NoticeType.SEARCH_FOUND).order_by("at")
    return list(rows.values_list("text", flat=True))


def new(search) -> int:
    return SavedSearch.objects.with_new().get(pk=search.pk).new


def test_bob_is_told_once_of_what_is_new_and_nothing_else(bob, readers, published):
    watching.sweep_all()
    assert told(bob) == []  # the digit reader was there when he saved it
    published()
    published("Price watcher", category="timeseries")
    for _ in range(2):
        watching.sweep_all()
    assert told(bob) == ["New for your search “Readers”: “Letter reader”."]
    notice = Notice.objects.of(bob).get(type=NoticeType.SEARCH_FOUND)
    assert notice.url == readers.get_absolute_url()
    assert notice.data["saved_search_id"] == str(readers.pk)
    assert new(readers) == 1


def test_many_new_ones_are_one_notice(bob, readers, published):
    for letter in "ABCDE":
        published(f"{letter} reader")
    watching.sweep_all()
    (text,) = told(bob)
    assert text.endswith("“A reader”, “B reader”, “C reader” and 2 more.")
    assert len(Notice.objects.get(text=text).data["template_ids"]) == 5


def test_what_bob_has_seen_by_himself_he_is_not_told(client, bob, readers, published):
    client.force_login(bob)
    published()
    assert client.get(readers.get_absolute_url()).url == readers.catalogue_url()
    watching.sweep_all()
    assert told(bob) == []
    published("Word reader")
    watching.sweep_all()
    assert "1 new" in client.get(LIST).content.decode()
    assert "sort=newest" in client.get(readers.get_absolute_url()).url
    assert "nothing new" in client.get(LIST).content.decode()


def test_without_alerts_it_is_counted_and_not_told(client, bob, readers, published):
    client.force_login(bob)
    alerts = reverse("marketplace:set_alerts", args=[readers.pk])
    client.post(alerts, {"alerts": "off"})
    published()
    watching.sweep_all()
    assert (told(bob), new(readers)) == ([], 1)
    client.post(alerts, {"alerts": "on"})
    watching.sweep_all()
    assert told(bob) == []


def test_what_was_published_before_a_sweep_and_appears_after_it_is_found(bob, readers, published):
    late = published()
    SavedSearch.objects.update(swept_at=timezone.now() + timedelta(minutes=1))
    watching.sweep_all()
    assert len(told(bob)) == 1
    watching.forget()
    assert SavedMatch.objects.filter(template=late).exists()  # a sweep still looks back to it


def test_what_is_hidden_is_not_new_and_shown_again_not_told_twice(bob, judy, readers, published):
    made = published()
    watching.sweep_all()
    governance.hide(actor=judy, subject=made, reason="Copied.")
    assert new(readers) == 0
    made.refresh_from_db()
    governance.restore(actor=judy, subject=made)
    watching.sweep_all()
    assert (len(told(bob)), new(readers)) == (1, 1)


def test_alice_is_not_told_of_her_own(alice, published):
    marketplace.save_search(owner=alice, query="reader")
    published()
    watching.sweep_all()
    assert told(alice) == []


def test_what_was_seen_long_ago_is_forgotten(bob, readers, published):
    published()
    watching.sweep_all()
    marketplace.look_at_search(actor=bob, search=readers)
    SavedSearch.objects.update(swept_at=F("swept_at") + 2 * watching.MARGIN)
    watching.forget()
    assert not SavedMatch.objects.exists()


class Died(BaseException):
    """A worker was killed here, which nothing that it runs can catch."""


def dying_at(statement: int):
    """Dies before so manieth statement of the database."""
    passed = iter(range(statement))

    def wrapper(execute, sql, params, many, context):
        if next(passed, None) is None:
            raise Died
        return execute(sql, params, many, context)

    return connection.execute_wrapper(wrapper)


def test_a_worker_that_dies_at_any_statement_tells_once_all_the_same(bob, readers, published):
    governance.create_webhook(owner=bob, url="https://example.com/hook")
    published()
    deaths = 0
    while True:
        try:
            with transaction.atomic(), dying_at(deaths):
                watching.sweep_all()
            break
        except Died:
            deaths += 1
            assert told(bob) == []
    assert deaths > 5
    watching.sweep_all()
    assert len(told(bob)) == 1
    assert WebhookDelivery.objects.filter(type="search.found").count() == 1


def test_one_search_that_cannot_be_swept_does_not_stop_the_others(bob, readers, published):
    other = marketplace.save_search(owner=bob, query="letter")
    published()

    def broken(execute, sql, params, many, context):
        if "INSERT INTO" in sql and "savedmatch" in sql and readers.pk in params:
            raise DatabaseError("too slow")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(broken):
        watching.sweep_all()
    assert len(told(bob)) == 1
    assert (new(readers), new(other)) == (0, 1)


def test_the_database_knows_a_match_and_a_search_once(bob, readers, template):
    SavedMatch.objects.all().delete()
    for make in (
        lambda: SavedMatch.objects.create(search=readers, template=template),
        lambda: SavedSearch.objects.create(owner=bob, name="x", query="letters", sort="newest"),
    ):
        make()
        with pytest.raises(IntegrityError), transaction.atomic():
            make()


def test_a_search_is_saved_in_its_shortest_spelling_and_once(bob):
    saved = marketplace.save_search(owner=bob, query='  price:"0"   reader ')
    assert (saved.query, saved.name) == ("reader price:0", "reader price:0")
    with pytest.raises(marketplace.AlreadySaved, match="as “reader price:0”"):
        marketplace.save_search(owner=bob, query="reader price:0")
    with pytest.raises(marketplace.InvalidSearch, match="query: price: “cheap” is no number"):
        marketplace.save_search(owner=bob, query="price:cheap")
    assert AuditEntry.objects.filter(verb="save_search", actor=bob).count() == 1


def test_a_search_may_be_as_long_as_the_catalogue_takes(bob):
    words = " ".join(
        "".join(chr(0x4E00 + (place * 7919 + number * 104_729) % 20_000) for place in range(60))
        for number in range(30)
    )
    saved = marketplace.save_search(owner=bob, query=words)
    assert len(saved.query.encode()) > 2_704  # what an index takes at most
    assert len(saved.name) == 80


def test_a_person_saves_so_many(bob):
    rows = [
        SavedSearch(owner=bob, name="x", query=f"price:{price}", sort="newest")
        for price in range(SAVED_MAX)
    ]
    SavedSearch.objects.bulk_create(rows)
    with pytest.raises(marketplace.TooManySearches, match=f"{SAVED_MAX} saved searches; delete"):
        marketplace.save_search(owner=bob, query="reader")


def test_another_question_knows_what_is_on_offer(bob, readers, published):
    published()
    marketplace.change_search(
        actor=bob,
        search=readers,
        name="All readers",
        query="reader",
        sort="newest",
        is_exact=False,
        has_alerts=True,
    )
    watching.sweep_all()
    assert told(bob) == []


def test_what_is_deleted_on_another_page_is_not_looked_at(bob, readers):
    stale = SavedSearch.objects.get(pk=readers.pk)
    marketplace.delete_search(actor=bob, search=readers)
    with pytest.raises(marketplace.SearchGone, match="“Readers” was deleted"):
        marketplace.look_at_search(actor=bob, search=stale)
    watching.sweep(stale.pk)  # which the sweep had listed before


def test_bob_saves_renames_and_deletes_on_the_pages(client, bob, template):
    client.force_login(bob)
    page = client.get("/templates/?q=reader&sort=price").content.decode()
    assert "Save this search" in page
    form = {"q": "reader", "sort": "price", "name": "Mine", "alerts": "on"}
    page = client.post("/saved-searches/new/", form, follow=True).content.decode()
    assert "“Mine”" in page and "you are told what is new" in page
    saved = SavedSearch.objects.get()
    assert (saved.sort, saved.has_alerts) == ("price", True)
    assert "Saved as" in client.get(saved.get_absolute_url(), follow=True).content.decode()
    client.post(reverse("marketplace:edit_search", args=[saved.pk]), {"name": "Yours"})
    saved.refresh_from_db()
    assert (saved.name, saved.query, saved.has_alerts) == ("Yours", "reader", False)
    client.post(reverse("marketplace:delete_search", args=[saved.pk]))
    assert not SavedSearch.objects.exists()


def test_with_htmx_the_button_becomes_what_it_did(client, bob, template):
    client.force_login(bob)
    htmx = {"HX-Request": "true"}
    form = {"q": "reader", "alerts": "on"}
    answer = client.post("/saved-searches/new/", form, headers=htmx, follow=True)
    client.post("/saved-searches/new/", {"q": "letters"})
    refused = client.post("/saved-searches/new/", {"q": "letters"}, headers=htmx)
    for text, page in (("Saved as", answer), ("Saved as", refused)):
        content = page.content.decode()
        assert text in content and "<html" not in content


def test_a_visitor_signs_in_first_and_saves_then(client, bob, template):
    page = client.get("/templates/?q=reader").content.decode()
    assert 'href="/saved-searches/new/?q=reader&amp;sort=relevance"' in page
    assert client.get("/saved-searches/new/?q=reader").url.startswith("/account/login/")
    client.force_login(bob)
    page = client.get("/saved-searches/new/?q=reader").content.decode()
    assert 'name="q" value="reader"' in page


def test_the_page_asks_the_same_for_many_as_for_one(client, bob, django_assert_max_num_queries):
    client.force_login(bob)
    client.get(LIST)  # which writes down the session
    for number in range(20):
        SavedSearch.objects.create(owner=bob, name="x", query=f"price:{number}", sort="newest")
    with django_assert_max_num_queries(6):
        assert client.get(LIST).content.decode().count("nothing new") == 20


def test_programs_save_change_and_delete_what_is_theirs(bob, mallory, published):
    def asked(user, method, address="", body=None, **headers):
        _, secret = governance.create_api_key(owner=user, name="key", scopes=list(Scope))
        return Client().generic(
            method,
            f"/api/v1/saved-searches{address}",
            json.dumps(body) if body else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"} | headers,
        )

    made = asked(
        bob, "POST", body={"query": "reader", "sort": "newest"}, **{"Idempotency-Key": "1"}
    )
    address = f"/{made.json()['id']}"
    assert made.json()["alerts"] and made.json()["new"] == 0
    assert asked(bob, "POST", body={"query": "reader"}).json()["code"] == "already_saved"
    assert asked(bob, "POST", body={"query": "price:cheap"}).status_code == 422
    published()
    watching.sweep_all()
    (row,) = asked(bob, "GET").json()["searches"]
    assert (row["new"], row["url"]) == (1, made.json()["url"])
    assert asked(mallory, "GET").json()["searches"] == []
    change = {"query": "reader price:0", "name": "Free", "alerts": False}
    assert asked(mallory, "PUT", address, change, **{"If-Match": "*"}).status_code == 404
    changed = asked(bob, "PUT", address, change, **{"If-Match": asked(bob, "GET", address)["ETag"]})
    assert (changed.json()["name"], changed.json()["alerts"]) == ("Free", False)
    assert asked(mallory, "DELETE", address, **{"If-Match": "*"}).status_code == 404
    assert asked(bob, "DELETE", address, **{"If-Match": "*"}).status_code == 204
    assert not SavedSearch.objects.exists()

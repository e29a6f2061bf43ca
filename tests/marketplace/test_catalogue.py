"""bob looks for a template: by words, by facets, in any order, to the last page."""

import base64
import json
import math
from itertools import product

import pytest

from marketplace import services as marketplace
from marketplace.models import Listing, Overview, Template
from marketplace.runner import counting, filters, inventions, listings
from marketplace.runner.queries import Query, parse
from marketplace.runner.snapshots import snapshot

pytestmark = pytest.mark.usefixtures("shared_template")

INVENTED = 3_000


def search(text="", sort="", **more):
    return marketplace.search_catalogue(
        query=marketplace.read_query(text),
        order=marketplace.order_named(sort),
        **{"length": 24} | more,
    )


def names(results):
    return [listing.name for listing in results.listings]


def counts(results, facet):
    shown = next(one for one in results.facets if one.name == facet)
    return {value.label: value.said for value in shown.values}


@pytest.fixture
def catalogue(alice, judy, template):
    """Beside the digit reader for 15 credits four more, of the same model."""
    for name, category, price in (
        ("Letter reader", "vision", 0),
        ("Digit writer", "generative", 5),
        ("Price forecaster", "timeseries", 50),
        ("Price watcher", "timeseries", 0),
    ):
        made = marketplace.publish_template(
            owner=alice,
            model=template.shown.model,
            name=name,
            description=f"A {name.lower()} for tests.",
            category=category,
            plan="standard" if price else "free",
            price_microcredits=price * 1_000_000,
        )
        marketplace.approve_template(actor=judy, template=made)
    listings.learn()
    return Template.objects.public()


@pytest.fixture
def invented(db):
    """Some thousand invented listings, of which a third is sampled."""
    later = inventions.make_tables()
    list(inventions.copy_rows(INVENTED, 1))
    inventions.make_indexes(later)
    with inventions.asked_there():
        listings.sample(beyond=0, rows=INVENTED)
        yield


def test_words_are_found_in_any_form_and_the_name_counts_most(catalogue):
    assert set(names(search("readers"))) == {"Digit reader", "Letter reader"}
    assert names(search("forecasters"))[0] == "Price forecaster"
    assert names(search('"price watcher"')) == ["Price watcher"]
    assert set(names(search("price -watcher"))) == {"Price forecaster"}


def test_bob_asks_with_operators(catalogue):
    assert set(names(search("price:0"))) == {"Letter reader", "Price watcher"}
    assert names(search("price:0 category:vision")) == ["Letter reader"]
    assert names(search("price>=5", "price")) == [
        "Digit writer",
        "Digit reader",
        "Price forecaster",
    ]
    assert len(names(search("author:alice licence:Apache-2.0 accuracy>0.5 latency<100"))) == 5
    assert names(search("accuracy>1")) == []
    assert len(names(search("published:7d commercial:yes params>10 -category:vision"))) == 3


def test_facets_count_what_is_found_and_leave_their_own_filter_out(catalogue):
    found = search("reader category:vision")
    assert str(found.total) == "2"
    everything = search("category:vision")
    assert counts(everything, "category") == {"Vision": "2", "Time series": "2", "Generative": "1"}
    assert counts(everything, "price") == {
        "Free": "1",
        "Up to 5 credits": "1",
        "Up to 20 credits": "2",
        "Up to 100 credits": "2",
    }
    categories = next(facet for facet in everything.facets if facet.name == "category")
    queries = {value.label: value.query for value in categories.values}
    assert queries["Vision"] == ""
    assert queries["Time series"] == "category:vision,timeseries"
    assert len(names(search("category:vision,timeseries"))) == 4


def test_a_misspelled_word_is_corrected_and_can_be_insisted_on(catalogue):
    found = search("raeder")
    assert found.meant == {"raeder": "reader"}
    assert set(names(found)) == {"Digit reader", "Letter reader"}
    assert found.text == "reader"
    assert names(search("raeder", is_literal=True)) == []
    assert search("forec").meant == {"forec": "forecaster"}
    assert search("zzzzzz").meant == {}


def test_nothing_found_says_which_filter_to_drop(catalogue):
    found = search("forecaster category:vision price:0")
    assert found.listings == []
    assert {(way.text, str(way.count)) for way in found.ways_out} == {("forecaster", "1")}
    found = search("reader category:vision price:50")
    assert ("price:50", "2") in {(way.text, str(way.count)) for way in found.ways_out}
    assert search("forecaster price:0").ways_out[0].query == "forecaster"


def test_every_order_is_read_to_its_end_without_repeating(catalogue):
    for text, sort in product(["", "reader", "category:timeseries,vision"], marketplace.ORDERS):
        found, cursor, everything = [], "", Listing.objects.filter(filters.plain(parse(text)))
        while True:
            page = search(text, sort, cursor=cursor, length=2)
            found += [listing.pk for listing in page.listings]
            if not (cursor := page.cursor):
                break
        assert len(found) == len(set(found)) == everything.count(), (text, sort)


def test_a_cursor_of_another_order_is_refused(catalogue):
    cursor = search(length=2).cursor
    assert cursor
    for sort, broken in (("newest", cursor), ("", "nonsense"), ("", "W10"), ("", "é")):
        with pytest.raises(marketplace.UnknownPlace, match="beginning"):
            search("", sort, cursor=broken)


def place(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def test_a_cursor_that_somebody_made_up_is_refused(catalogue):
    nobody = "0" * 32
    for made_up in (
        ("relevance", 1, 5, None, 1),
        ("relevance", 1, None, None, 1),
        ("relevance", 10**400, nobody, None, 1),
        ("relevance", "much", nobody, None, 1),
        ("newest", 3, nobody, None, 1),
        ("newest", "2026-01-31", nobody, None, 1),
    ):
        with pytest.raises(marketplace.UnknownPlace, match="beginning"):
            search("", made_up[0], cursor=place(*made_up))


BEYOND = ["downloads>3g", "price>99999999999999", "downloads>3g reader", "downloads:3g price:99t",
          "-downloads<3g", "params>999999g price>99999999999999 reader"]  # fmt: skip


def test_a_number_that_no_column_holds_finds_nothing(catalogue):
    for text in BEYOND:
        for sort in ("relevance", "accuracy", "newest"):
            assert names(search(text, sort)) == [], (text, sort)


def test_a_number_that_no_column_holds_finds_nothing_in_a_sample(invented):
    for text in BEYOND:
        assert names(search(text)) == [], text


# Where there are too many to count


TEXTS = ["image", "image category:vision", "category:vision price:0", "price>500", "latency<0.02",
         "certificate:basic accuracy<0.6", "author:generated-3", "-image plan:free",
         "published:90d commercial:yes"]  # fmt: skip


def test_what_is_estimated_is_near_what_is_so_and_says_that_it_is_estimated(invented):
    listings.sample(beyond=0, rows=1_000)
    overview = Overview.objects.get()
    assert (overview.listings, overview.sampled) == (INVENTED, 1_000)
    for text in TEXTS:
        query = parse(text)
        so = Listing.objects.filter(filters.plain(query)).count()
        found = counting.look(query)
        if found.total.is_exact:
            assert found.total.number == so
        else:
            assert str(found.total).startswith("≈")
            hits = so / 3
            assert abs(found.total.number - so) <= 3 * (5 * math.sqrt(hits) + 1) + so * 0.5


def test_common_things_are_walked_to_the_end_in_order(invented):
    texts = ("image", "category:vision", "category:vision image")
    for text, sort in product(texts, marketplace.ORDERS):
        order, query, keys, ids, cursor = marketplace.order_named(sort), parse(text), [], [], ""
        while True:
            page = search(text, sort, cursor=cursor, length=100)
            ids += [listing.pk for listing in page.listings]
            keys += [getattr(listing, order.key) for listing in page.listings]
            if not (cursor := page.cursor):
                break
        assert len(ids) == len(set(ids)), (text, sort)
        if sort != "accuracy":
            assert len(ids) == Listing.objects.filter(filters.plain(query)).count(), (text, sort)
        if sort != "relevance":
            assert keys == sorted(keys, reverse=order.descending), (text, sort)


def test_rare_things_are_paged_from_the_look_that_counts_them(
    invented, django_assert_max_num_queries
):
    search()  # which also reads the sample
    texts = ("sensor price>90", "sensor mase<0.9", "-mase<0.7 sensor price>90")
    for text, sort in product(texts, marketplace.ORDERS):
        order, so = (
            marketplace.order_named(sort),
            Listing.objects.filter(filters.plain(parse(text))),
        )
        is_guessed = sort == "accuracy" and text != "sensor mase<0.9"
        found, cursor = [], ""
        while True:
            with django_assert_max_num_queries(5 if is_guessed else 4):
                page = search(text, sort, cursor=cursor, length=2)
            assert (page.total.is_exact, page.total.number) == (True, so.count())
            found += page.listings
            if not (cursor := page.cursor):
                break
        assert page.total.number > 2
        keys = [(getattr(listing, order.key), listing.pk) for listing in found]
        if sort == "relevance":
            assert {listing.pk for listing in found} == {listing.pk for listing in so}
        elif not is_guessed:
            assert keys == sorted(
                ((getattr(listing, order.key), listing.pk) for listing in so),
                reverse=order.descending,
            )


ASKED = [
    "-category:vision,nlp price:5..20", "-commercial:no -licence:MIT", "commercial:yes,no size<20k",
    "accuracy>=0.8 -accuracy>0.9", "-mase<0.7", "metric:mase,r2 call>0.001", "author:nobody image",
    "published>2025-06 published<2026-06-15 rating>3.5", "-published:30d downloads>3",
    "tier:nano,micro latency>=0.05 -latency>0.2 params:1k..100k plan:free certificate:gold",
    "category:vision plan:free tier:nano licence:MIT price:0 size<9k params>9 latency<9 rating<4",
]  # fmt: skip


def test_facets_of_a_sample_are_those_of_all_rows_where_it_holds_all(invented):
    for text in [*TEXTS, *ASKED, *BEYOND]:
        query = parse(text)
        groups = query.names[: counting.GROUPS_MAX]
        so = counting.tally(counting.labelled(Listing.objects.all(), query, groups))
        kept = snapshot(Overview.objects.get().counted_at)
        masks = counting.masks_of(query, groups, kept)
        for miss, mask in enumerate(masks):
            counted = kept.count(mask)
            if miss in so.rows or counted[""]:
                assert timeless(counted) == timeless(so.rows[miss]), (text, miss)


def timeless(counts):
    """Without how old they are, of which a sample is some minutes behind."""
    return {token: rows for token, rows in counts.items() if not token.startswith("published:")}


def test_invented_listings_are_never_seen_by_people(template, invented, client):
    assert Listing.objects.count() == INVENTED  # on this connection, which asks there
    with inventions.connection.cursor() as cursor:
        cursor.execute("RESET search_path")
    assert Listing.objects.count() == 1
    page = client.get("/templates/").content.decode()
    assert "generated" not in page
    assert template.name in page


# The page and the API


def test_the_page_says_it_all_and_its_address_is_its_state(client, catalogue):
    page = client.get("/templates/", {"q": "reader category:vision price:0", "sort": "newest"})
    text = page.content.decode()
    assert "Letter reader" in text
    assert "Digit reader" not in text
    assert "category:vision" in text
    assert "Clear all" in text
    assert "<b>1</b> template" in text
    assert "when it was first published" in text
    assert client.get("/templates/?category=vision&tier=nano").status_code == 200


def test_the_page_leads_out_of_a_dead_end(client, catalogue):
    text = client.get("/templates/", {"q": "reader category:vision price:50"}).content.decode()
    assert "Drop one of these" in text
    assert "without <b>price:50</b>: 2" in text
    assert "Show everything" in text
    text = client.get("/templates/", {"q": "raeder"}).content.decode()
    assert "Showing results for <b>reader</b>" in text
    assert "“letters” is none of" in client.get("/templates/?q=category:letters").content.decode()


def test_more_is_loaded_behind_what_is_shown(client, catalogue, monkeypatch):
    monkeypatch.setattr("marketplace.views.catalogue.PAGE_SIZE", 2)
    first = client.get("/templates/").content.decode()
    following = first.split('rel="next nofollow" href="')[1].split('"')[0].replace("&amp;", "&")
    whole = client.get(f"/templates/{following}").content.decode()
    assert "Back to the beginning" in whole
    part = client.get(
        f"/templates/{following}", headers={"HX-Request": "true", "HX-Target": "more"}
    ).content.decode()
    assert part.lstrip().startswith('<ul class="grid">')
    assert part.count("<article") == 2
    broken = client.get("/templates/?cursor=nonsense&q=reader&sort=newest")
    assert (broken.status_code, broken["Location"]) == (302, "/templates/?sort=newest&q=reader")


def test_the_page_asks_the_database_little_whatever_is_asked(
    client, bob, catalogue, django_assert_max_num_queries
):
    client.force_login(bob)
    client.get("/templates/")  # the first page of a session notes who came
    for text in ("", "reader", "raeder", "category:vision price:0 licence:MIT author:bob reader"):
        with django_assert_max_num_queries(10):
            client.get("/templates/", {"q": text})


def test_programs_ask_as_people_do(api_list, catalogue):
    def found(query):
        return {row["name"] for row in api_list(query)["templates"]}

    assert found("q=reader+price:0") == {"Letter reader"}
    assert found("search=reader&tier=paid") == {"Digit reader"}
    assert found("category=timeseries&tier=free") == {"Price watcher"}
    assert [row["name"] for row in api_list("sort=price&tier=paid")["templates"]] == [
        "Digit writer", "Digit reader", "Price forecaster",
    ]  # fmt: skip


@pytest.fixture
def api_list(client, bob):
    client.force_login(bob)
    return lambda query: client.get(f"/api/v1/templates?{query}").json()


def test_an_empty_query_is_everything(catalogue):
    assert search("").query == Query()
    assert str(search("").total) == "5"

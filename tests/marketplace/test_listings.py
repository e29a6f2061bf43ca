"""Listings follow their templates, whoever changes what."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance import services as governance
from marketplace import services as marketplace
from marketplace.models import Listing, Overview, Plan, Template
from marketplace.runner import listings
from training.models import Category

pytestmark = pytest.mark.usefixtures("shared_training")

PROJECTED = [
    "template_id", "slug", "name", "summary", "author", "category", "plan", "price_microcredits",
    "architecture", "tier", "parameters", "licence", "metric", "value", "dataset_slug",
    "certificate", "published_at", "words",
]  # fmt: skip


def truth() -> list[dict[str, object]]:
    """What listings should say, as it is made from nothing."""
    before = list(Listing.objects.order_by("pk").values(*PROJECTED))
    Listing.objects.all()._raw_delete("default")
    listings.repair()
    made = list(Listing.objects.order_by("pk").values(*PROJECTED))
    assert before == made
    return made


def describe(template, actor, name="Digit reader", description="Reads digits."):
    return marketplace.describe_template(
        actor=actor,
        template=template,
        name=name,
        summary="",
        description=description,
        category=Category.VISION,
    )


def test_a_template_is_listed_with_what_was_measured(template):
    listing = Listing.objects.get()
    validation = template.shown.validation
    assert (listing.name, listing.author) == ("Digit reader", "alice")
    assert (listing.metric, listing.value) == ("accuracy", validation.accuracy)
    assert listing.latency_p50_ms == validation.latency_p50_ms
    assert listing.certificate == validation.certificate
    assert listing.licence == "Apache-2.0"
    assert {"category:vision", "author:alice", "dataset:digits", "commercial:yes"} <= set(
        listing.tokens
    )
    assert 0 < listing.quality < 1


def test_what_waits_for_review_is_not_listed(alice, model):
    marketplace.publish_template(
        owner=alice, model=model, name="W", description="d", category="vision", plan="free"
    )
    assert not Listing.objects.exists()


def test_what_judy_hides_is_gone_at_once_and_back_when_she_restores_it(judy, template):
    governance.hide(actor=judy, subject=template, reason="Copied.")
    assert not Listing.objects.exists()
    governance.restore(actor=judy, subject=template)
    assert Listing.objects.get().name == "Digit reader"


def test_new_words_of_alice_are_found_at_once(alice, template):
    describe(template, alice, name="Numeral reader")
    found = marketplace.search_catalogue(
        query=marketplace.read_query("numerals"), order=marketplace.order_named(""), length=5
    )
    assert [listing.name for listing in found.listings] == ["Numeral reader"]


STEPS = st.lists(st.sampled_from(["describe", "hide", "restore", "renew", "withdraw"]), max_size=6)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_whatever_happens_listings_are_the_projection_of_the_truth(alice, judy, template, steps):
    for number, step in enumerate(steps):
        template.refresh_from_db()
        if step == "describe":
            describe(template, alice, name=f"Reader {number}", description=f"Reads {number}.")
        elif step == "hide":
            governance.hide(actor=judy, subject=template, reason="Look.")
        elif step == "restore":
            governance.restore(actor=judy, subject=template)
        elif step == "renew":
            made = marketplace.publish_template(
                owner=alice,
                model=template.versions.all()[0].model,
                name=f"More {number}",
                description="d",
                category="vision",
                plan=Plan.STANDARD,
                price_microcredits=number + 1,
            )
            marketplace.approve_template(actor=judy, template=made)
        else:
            Template.objects.filter(pk=template.pk).update(withdrawn_at="2026-01-01T00:00Z")
    rows = truth()
    on_offer = set(Template.objects.public().values_list("pk", flat=True))
    assert {row["template_id"] for row in rows} == on_offer


def test_a_damaged_listing_is_repaired(template, alice):
    Listing.objects.update(name="Somebody else's", price_microcredits=0)
    alice.username = "alicia"
    alice.save()
    listings.repair()
    listing = Listing.objects.get()
    assert (listing.name, listing.author) == ("Digit reader", "alicia")
    assert listing.price_microcredits == 15_000_000


def test_what_is_right_is_not_written_again(template):
    before = Listing.objects.get().changed_at
    listings.repair()
    assert Listing.objects.get().changed_at == before


def test_each_person_who_took_it_counts_once(bob, mallory, template):
    for person in (bob, mallory):
        marketplace.buy_template(buyer=person, template=template)
    marketplace.review_template(reviewer=bob, template=template, rating=5)
    listings.count()
    listing = Listing.objects.get()
    assert (listing.downloads, listing.downloads_7_days, listing.downloads_30_days) == (2, 2, 2)
    assert (listing.stars, listing.rating_count) == (5, 1)
    assert listing.rating == pytest.approx(22.5 / 6)
    assert listing.trend == pytest.approx(2, abs=0.01)


def test_the_trigger_writes_only_what_changed(alice, template):
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin, ctid FROM marketplace_listing")
        before = cursor.fetchone()
        Template.objects.filter(pk=template.pk).update(slug=template.slug)
        cursor.execute("SELECT xmin, ctid FROM marketplace_listing")
        assert cursor.fetchone() == before


def test_a_catalogue_that_the_clock_never_looked_at_is_searched_all_the_same(client, template):
    Overview.objects.all().delete()
    assert template.name in client.get("/templates/?q=reader").content.decode()
    listings.sample()
    listings.learn()
    assert Overview.objects.get().listings == 1

"""What a visitor reads on the home page: each number of it was counted."""

import pytest
from django.core.cache import cache
from django.test import Client

from marketplace import services as marketplace
from marketplace.runner import listings

pytestmark = pytest.mark.usefixtures("shared_training")


def page(client: Client) -> str:
    return client.get("/").content.decode()


def test_an_empty_marketplace_says_how_to_begin(client, db):
    shown = page(client)
    assert "The catalogue is empty" in shown
    assert "By what they do" not in shown


def test_the_home_page_counts_what_there_is(client, bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    listings.count()
    cache.clear()
    front = marketplace.storefront()
    assert str(front.total) == "1"
    assert {tile.category: str(tile.count) for tile in front.tiles if tile.count.number} == {
        "vision": "1"
    }
    assert front.numbers == {
        "models": 1,
        "rows": template.shown.validation.rows,
        "paid": 10_500_000,
    }
    assert [(row.name, row.downloads) for row in front.used] == [("Digit reader", 1)]
    assert len(front.curves["training"]) == template.shown.model.job.points.count() > 1
    shown = page(client)
    assert "10.5" in shown and "Most used" in shown


def test_the_home_page_asks_little_of_the_database(
    client, bob, judy, template, django_assert_max_num_queries
):
    marketplace.feature_template(actor=judy, template=template, reason="Look.")
    with django_assert_max_num_queries(12):
        client.get("/")
    client.force_login(bob)
    client.get("/")  # which writes down the session
    with django_assert_max_num_queries(12):
        assert "Look." in client.get("/").content.decode()


def test_what_is_used_by_nobody_is_not_most_used(client, template):
    assert marketplace.storefront().used == []
    assert "Most used" not in page(client)

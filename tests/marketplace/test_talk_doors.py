"""Ratings, discussions, collections and boards over the API."""

import json

import pytest
from django.test import Client

from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def api():
    """A client of a person's key: `api(bob)("POST", address, body)`."""

    def of(user):
        _, secret = governance.create_api_key(owner=user, name="test", scopes=tuple(Scope))

        def call(method, address, body=None, **headers):
            return Client().generic(
                method,
                f"/api/v1/{address}",
                json.dumps(body) if body is not None else "",
                content_type="application/json",
                headers={"Authorization": f"Bearer {secret}"} | headers,
            )

        return call

    return of


def test_bob_rates_what_he_has_by_the_originals_operation(api, bob, mallory, template):
    marketplace.buy_template(buyer=bob, template=template)
    address = f"templates/{template.pk}/ratings"
    rated = api(bob)("POST", address, {"rating": 5, "review": "It reads."})
    assert rated.status_code == 201
    assert (rated.json()["avgRating"], rated.json()["totalRatings"]) == (5.0, 1)
    assert api(mallory)("POST", address, {"rating": 1}).status_code == 403
    assert api(bob)("POST", address, {"rating": 4.5}).status_code == 400
    listed = api(mallory)("GET", f"{address}?sort=newest").json()
    assert [review["text"] for review in listed["reviews"]] == ["It reads."]


def test_bob_asks_and_alice_answers_once_per_key(api, alice, bob, template):
    asked = api(bob)(
        "POST", f"templates/{template.pk}/threads", {"title": "Sevens?", "text": "Does it?"}
    ).json()
    answer = f"threads/{asked['id']}/posts"
    for _ in range(2):
        api(alice)("POST", answer, {"text": "It does."}, **{"Idempotency-Key": "one"})
    posts = api(bob)("GET", answer).json()
    assert [post["author"] for post in posts["posts"]] == ["bob", "alice"]
    threads = api(bob)("GET", f"templates/{template.pk}/threads").json()
    assert threads["threads"][0]["title"] == "Sevens?"


def test_a_collection_is_changed_only_by_who_owns_and_saw_it(api, bob, mallory, template):
    made = api(bob)("POST", "collections", {"name": "Readers"}).json()
    address = f"collections/{made['id']}"
    assert api(mallory)("GET", address).status_code == 404
    item = {"template_id": str(template.pk), "note": "The best."}
    assert api(mallory)("POST", f"{address}/items", item).status_code == 404
    kept = api(bob)("POST", f"{address}/items", item).json()
    assert kept["items"] == [item | {"position": 0}]
    seen = api(bob)("GET", address)
    change = {"name": "My readers", "is_public": True}
    assert api(bob)("PUT", address, change).status_code == 428
    changed = api(bob)("PUT", address, change, **{"If-Match": seen["ETag"]})
    assert changed.json()["name"] == "My readers"
    assert api(bob)("PUT", address, change, **{"If-Match": seen["ETag"]}).status_code == 412
    assert api(mallory)("GET", address).json()["is_public"]
    assert api(mallory)("DELETE", address, **{"If-Match": "*"}).status_code == 404
    assert api(bob)("DELETE", address, **{"If-Match": "*"}).status_code == 204


def test_a_board_has_its_places(api, bob, template, digits):
    board = api(bob)("GET", f"leaderboards/{digits.slug}").json()
    assert board["metric"] == "accuracy"
    assert [place["template_id"] for place in board["places"]] == [str(template.pk)]
    assert api(bob)("GET", "leaderboards/nothing").status_code == 404

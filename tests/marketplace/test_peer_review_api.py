"""Peer review by programs: rita's reads what waits, and writes and changes her review of it."""

import pytest
from django.test import Client

from governance import services as governance
from governance.models import Role, Scope
from marketplace import services as marketplace
from marketplace.models import PeerReview
from tests.marketplace.test_peer_reviews import YES, review, rita, waiting

pytestmark = pytest.mark.usefixtures("shared_template")

__all__ = ["rita", "waiting"]
SAID = {"recommendation": "changes", "answers": YES, "text": "It confuses 1 and 7."}


def program_of(person, scopes=tuple(Scope)):
    """Calls in this person's name."""
    _, secret = governance.create_api_key(owner=person, name="key", scopes=list(scopes))

    def call(method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return getattr(Client(), method)(
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"} | named,
        )

    return call


def address_of(version) -> str:
    return f"templates/{version.template_id}/versions/{version.number}/peer-review"


def test_rita_reads_what_waits_writes_what_she_finds_and_changes_it(rita, waiting):
    call, address = program_of(rita), address_of(waiting)
    [found] = call("get", "peer-reviews/waiting").json()["versions"]
    assert (found["author"], found["is_own"], found["is_reviewed"]) == ("alice", False, False)
    assert call("get", address).status_code == 404
    written = call("post", address, SAID, Idempotency_Key="one")
    again = call("post", address, SAID, Idempotency_Key="one")
    assert (written.status_code, again["Idempotency-Replayed"]) == (201, "true")
    [found] = call("get", "peer-reviews/waiting").json()["versions"]
    assert (found["status"], found["reviews"], found["is_reviewed"]) == ("in_review", 1, True)
    seen = call("get", address)
    assert seen.json() == written.json()
    better = SAID | {"recommendation": "approve"}
    assert call("put", address, better).status_code == 428
    changed = call("put", address, better, If_Match=seen["ETag"])
    assert changed.json()["recommendation"] == "approve"
    assert call("put", address, SAID, If_Match=seen["ETag"]).status_code == 412
    [listed] = call("get", "peer-reviews").json()["reviews"]
    assert listed == changed.json()
    assert PeerReview.objects.get().recommendation == "approve"


def test_what_she_said_stays_to_be_read_once_it_is_decided_and_is_changed_no_more(
    rita, judy, waiting
):
    call, address = program_of(rita), address_of(waiting)
    written = call("post", address, SAID).json()
    marketplace.approve_template(actor=judy, template=waiting.template)
    assert call("get", "peer-reviews/waiting").json()["versions"] == []
    assert call("get", address).json() == written | {"status": "published"}
    assert call("put", address, SAID, If_Match="*").status_code == 404


def test_who_may_not_review_finds_nothing_and_the_queue_says_why(alice, mallory, rita, waiting):
    review(rita, waiting, text="A secret until it is decided.")
    for person in (alice, mallory):
        call, address = program_of(person), address_of(waiting)
        refused = call("get", "peer-reviews/waiting")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_qualified")
        answers = [call("get", address), call("post", address, SAID)]
        answers.append(call("put", address, SAID, If_Match="*"))
        assert [answer.status_code for answer in answers] == [404] * 3
        assert call("get", "peer-reviews").json()["reviews"] == []


def test_an_author_who_reviews_others_is_told_that_it_is_her_own(alice, judy, waiting):
    governance.grant_role(actor=None, user=alice, role=Role.REVIEWER)
    call = program_of(alice)
    [found] = call("get", "peer-reviews/waiting").json()["versions"]
    assert found["is_own"]
    refused = call("post", address_of(waiting), SAID)
    assert (refused.status_code, refused.json()["detail"]) == (403, "It is your own.")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (SAID | {"recommendation": "perhaps"}, "recommendation"),
        (SAID | {"text": " "}, "text"),
        (SAID | {"answers": {"words": "yes"}}, "answers"),
        (SAID | {"answers": YES | {"works": "often"}}, "answers"),
    ],
)
def test_what_is_wrong_is_said_by_its_field(rita, waiting, said, field):
    refused = program_of(rita)("post", address_of(waiting), said)
    assert refused.status_code == 400
    assert field in refused.json()["invalid_parameters"][0]["field"]


def test_a_key_that_may_only_read_writes_no_review(rita, waiting):
    call = program_of(rita, [Scope.MODELS_READ])
    assert call("post", address_of(waiting), SAID).status_code == 403


def test_the_queue_asks_the_database_no_more_for_many(
    rita, waiting, alice, model, django_assert_max_num_queries
):
    call = program_of(rita)
    with django_assert_max_num_queries(12) as few:
        assert len(call("get", "peer-reviews/waiting").json()["versions"]) == 1
    for name in ("Second", "Third"):
        marketplace.publish_template(
            owner=alice,
            model=model,
            name=name,
            description="Reads digits.",
            category="vision",
            plan="free",
        )
    with django_assert_max_num_queries(len(few)):
        assert len(call("get", "peer-reviews/waiting").json()["versions"]) == 3

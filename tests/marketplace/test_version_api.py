"""The versions of a template by program: drafted, mended, submitted, published and ended."""

import json

import pytest
from django.test import Client

from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Template, TemplateVersion

pytestmark = pytest.mark.usefixtures("shared_training")

ANY = {"If-Match": "*"}


@pytest.fixture
def api():
    """A client of a person's key: `api(bob)("POST", address, body)`."""

    def of(user, scopes=tuple(Scope)):
        _, secret = governance.create_api_key(owner=user, name="test", scopes=scopes)

        def call(method, address, body=None, **headers):
            return Client().generic(
                method,
                f"/api/v1/templates{address}",
                json.dumps(body) if body is not None else "",
                content_type="application/json",
                headers={"Authorization": f"Bearer {secret}"} | headers,
            )

        return call

    return of


@pytest.fixture
def started(api, alice, model) -> dict:
    made = api(alice)("POST", "/drafts", {"model_id": str(model.pk), "name": "Reader"})
    assert made.status_code == 201
    return made.json()


def test_alice_publishes_step_by_step_by_program(api, alice, judy, bob, started, model):
    call, address = api(alice), f"/{started['template_id']}/versions/1"
    assert (started["status"], started["name"]) == ("draft", "Reader")
    assert [lack["step"] for lack in started["missing"]] == ["card"]
    refused = call("POST", f"{address}/submit")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_template")
    changed = call(
        "PATCH",
        address,
        {
            "description": "Reads digits.",
            "category": "vision",
            "plan": "standard",
            "price": "15",
            "call_price": "0.001",
            "monthly_calls": 10,
            "examples": [[0] * 64],
            "publishes_at_once": False,
        },
        **ANY,
    )
    assert changed.status_code == 200
    said = changed.json()
    assert (said["name"], said["price_credits"], said["missing"]) == ("Reader", "15", [])
    assert call("POST", f"{address}/submit").json()["status"] == "submitted"
    assert call("POST", f"{address}/recall").json()["status"] == "draft"
    assert call("POST", f"{address}/submit").json()["status"] == "submitted"
    template = Template.objects.get()
    marketplace.approve_template(actor=judy, template=template)
    assert api(bob)("GET", address).status_code == 404
    assert call("POST", f"{address}/publish").json()["is_current"]
    theirs = api(bob)("GET", f"/{template.pk}/versions").json()
    assert [(row["number"], row["status"]) for row in theirs["versions"]] == [(1, "published")]


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(api, alice, started):
    call, address = api(alice), f"/{started['template_id']}/versions/1"
    assert call("PATCH", address, {"summary": "One."}).status_code == 428
    seen = call("GET", address)["ETag"]
    first = call("PATCH", address, {"summary": "One."}, **{"If-Match": seen})
    assert first.status_code == 200
    again = call("PATCH", address, {"summary": "Two."}, **{"If-Match": seen})
    assert again.status_code == 412
    assert call("GET", address)["ETag"] == first["ETag"]


@pytest.mark.parametrize(
    ("said", "status", "fault"),
    [
        ({"plan": "gold"}, 400, "plan"),
        ({"price": "-1"}, 400, "price"),
        ({"files": ["exe"]}, 422, "files: 'exe' is none of"),
        ({"examples": [[1, 2]]}, 422, "examples: number 1"),
        ({"examples": 3}, 400, "examples"),
        ({"plan": "premium", "price": "0"}, 422, "price: a premium template has a price"),
        ({"model_id": "00000000-0000-0000-0000-000000000000"}, 404, "is no model of yours"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_changes_nothing(
    api, alice, started, said, status, fault
):
    call, address = api(alice), f"/{started['template_id']}/versions/1"
    answer = call("PATCH", address, {"summary": "Mine."} | said, **ANY)
    assert answer.status_code == status
    assert fault in answer.json()["detail"]
    assert call("GET", address).json()["summary"] == ""


def test_a_draft_that_was_never_submitted_is_thrown_away(api, alice, started):
    call, address = api(alice), f"/{started['template_id']}/versions/1"
    assert call("DELETE", address, **ANY).status_code == 204
    assert not Template.objects.exists()


def test_versions_end_with_a_reason_and_come_back(api, alice, template):
    call, address = api(alice), f"/{template.pk}/versions/1"
    assert call("POST", f"{address}/deprecation", {}).status_code == 400
    said = call("POST", f"{address}/deprecation", {"reason": "It confuses 4 and 9."}).json()
    assert (said["status"], said["ended_reason"]) == ("deprecated", "It confuses 4 and 9.")
    assert call("DELETE", f"{address}/deprecation").json()["status"] == "published"
    call("POST", f"{address}/withdrawal", {"reason": "Not my data."})
    assert TemplateVersion.objects.get().status == "withdrawn"
    refused = call("POST", f"{address}/recall")
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")


def test_a_further_version_is_drafted_and_the_whole_withdrawn(api, alice, template):
    call, address = api(alice), f"/{template.pk}/versions"
    body = {"model_id": str(template.current.model_id), "changelog": "Cheaper."}
    made = call("POST", address, body, **{"Idempotency-Key": "two"}).json()
    assert (made["number"], made["changelog"]) == (2, "Cheaper.")
    again = call("POST", address, body, **{"Idempotency-Key": "two"}).json()
    assert again["number"] == 2
    other = call("POST", address, body)
    assert (other.status_code, other.json()["code"]) == (409, "open_version")
    ended = call("POST", f"/{template.pk}/withdrawal", {"reason": "Enough."}).json()
    assert [row["status"] for row in ended["versions"]] == ["draft", "withdrawn"]


def test_mallory_does_nothing_with_alices_versions(api, mallory, started, template):
    call = api(mallory)
    draft, public = f"/{started['template_id']}/versions/1", f"/{template.pk}/versions/1"
    assert call("GET", draft).status_code == 404
    assert call("GET", public).json()["review_note"] == ""
    for address in (draft, public):
        for act in ("submit", "recall", "publish"):
            assert call("POST", f"{address}/{act}").status_code == 404
        for act in ("deprecation", "withdrawal"):
            assert call("POST", f"{address}/{act}", {"reason": "Mine."}).status_code == 404
        assert call("PATCH", address, {"summary": "Mine."}, **ANY).status_code == 404
        assert call("DELETE", address, **ANY).status_code == 404


def test_a_key_that_may_not_publish_does_not(api, alice, started):
    call = api(alice, scopes=(Scope.MODELS_READ,))
    address = f"/{started['template_id']}/versions/1"
    assert call("GET", address).status_code == 200
    assert call("POST", f"{address}/submit").status_code == 403

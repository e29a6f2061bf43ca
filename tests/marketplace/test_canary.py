"""bob tries a new version on some of his calls before all of them go there."""

import uuid

import pytest

from marketplace import services as marketplace
from tests.marketplace.test_deployments import ROW, asked, shares

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def canary(bob, deployment, second):
    return marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=20)


def test_a_canary_takes_its_share_and_is_promoted(bob, canary):
    assert shares(canary) == {1: 80, 2: 20}
    answered = {
        marketplace.predict(
            user=bob, deployment=canary, rows=[ROW], event_id=uuid.UUID(int=number)
        ).version
        for number in range(30)
    }
    assert answered == {1, 2}
    marketplace.promote_canary(actor=bob, deployment=canary)
    assert shares(canary) == {2: 100}


def test_a_canary_is_aborted_and_what_was_before_answers(bob, canary):
    marketplace.abort_canary(actor=bob, deployment=canary)
    assert shares(canary) == {1: 100}
    with pytest.raises(marketplace.NotInCanary, match="start one"):
        marketplace.abort_canary(actor=bob, deployment=canary)
    with pytest.raises(marketplace.NotInCanary, match="start one"):
        marketplace.promote_canary(actor=bob, deployment=canary)


def test_there_is_one_canary_at_a_time_and_it_is_another_version(bob, deployment, second):
    with pytest.raises(marketplace.InvalidDeployment, match="answers already"):
        marketplace.start_canary(actor=bob, deployment=deployment, version=1, share=10)
    with pytest.raises(marketplace.InvalidDeployment, match="1 to 99"):
        marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=100)
    marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=10)
    with pytest.raises(marketplace.NotInCanary, match="on its way"):
        marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=10)


def test_bob_goes_back_to_what_answered_before_at_its_price(bob, canary):
    marketplace.promote_canary(actor=bob, deployment=canary)
    marketplace.roll_back(actor=bob, deployment=canary)
    assert shares(canary) == {1: 80, 2: 20}
    marketplace.roll_back(actor=bob, deployment=canary, to=1)
    assert shares(canary) == {1: 100}
    assert [each.cause for each in canary.route_sets.order_by("number")] == [
        "deployed",
        "canary",
        "promoted",
        "rolled_back",
        "rolled_back",
    ]
    with pytest.raises(marketplace.NothingBefore, match="no set of routes 99"):
        marketplace.roll_back(actor=bob, deployment=canary, to=99)


def test_who_never_answered_otherwise_has_nothing_to_go_back_to(bob, deployment):
    with pytest.raises(marketplace.NothingBefore, match="never answered otherwise"):
        marketplace.roll_back(actor=bob, deployment=deployment)


def test_who_names_a_model_is_answered_by_it_whatever_its_share(bob, canary, second):
    for _ in range(5):
        answer = marketplace.predict_model(
            user=bob, model_id=second.model_id, rows=[ROW], event_id=uuid.uuid4()
        )
        assert answer.version == 2


def test_bob_leads_a_canary_by_program(client, bob, deployment, second):
    client.force_login(bob)
    address = f"/api/v1/deployments/{deployment.pk}"
    started = asked(client, "POST", f"{address}/canary", {"version": 2, "share": 30})
    assert [route["share"] for route in started.json()["routes"]] == [70, 30]
    assert asked(client, "DELETE", f"{address}/canary").json()["routes"][0]["version"] == 1
    assert asked(client, "DELETE", f"{address}/canary").status_code == 409
    asked(client, "POST", f"{address}/canary", {"version": 2})
    promoted = asked(client, "POST", f"{address}/canary/promote").json()
    assert (promoted["version"], promoted["route_set"]) == (2, 5)
    back = asked(client, "POST", f"{address}/rollback", {"route_set": 1}).json()
    assert back["version"] == 1
    history = client.get(f"{address}/routes").json()["route_sets"]
    assert [each["number"] for each in history] == [6, 5, 4, 3, 2, 1]
    halves = {"routes": [{"version": 1, "share": 50}, {"version": 2, "share": 50}]}
    assert asked(client, "POST", f"{address}/routes", halves).status_code == 200
    uneven = {"routes": [{"version": 1, "share": 50}, {"version": 2, "share": 49}]}
    refused = asked(client, "POST", f"{address}/routes", uneven)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_deployment")

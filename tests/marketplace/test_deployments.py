"""bob deploys as he likes, changes his mind, and nobody else has a part in it."""

import json
import uuid

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction

from billing import services as billing
from billing.models import UsageEvent
from governance.models import Notice, NoticeType
from marketplace import services as marketplace
from marketplace.models import Deployment, Route, TemplateVersion
from marketplace.runner import following
from marketplace.runner.routing import picked, routes_of
from tests.marketplace.metered import usage
from tests.marketplace.versions import another_version, sibling
from training import services as training

pytestmark = pytest.mark.usefixtures("shared_template")

ROW = [0.0] * 64
NOBODY = uuid.UUID(int=0)


def shares(deployment) -> dict[int, int]:
    deployment.refresh_from_db()
    return {route.version.number: route.share for route in marketplace.routes_now(deployment)}


# Deploying


def test_one_click_pins_the_version_on_offer_and_a_second_finds_it(bob, bought, deployment):
    assert deployment.status == Deployment.Status.ACTIVE
    assert (deployment.name, deployment.follows) == ("Digit reader", "pinned")
    assert shares(deployment) == {1: 100}
    assert marketplace.deploy_template(owner=bob, template=bought) == deployment


def test_who_has_a_version_keeps_it_when_it_is_withdrawn(alice, bob, mallory, bought, second):
    deployment = marketplace.deploy_template(
        owner=bob, template=bought, custom_config={"version": 1}
    )
    both = marketplace.read_routes([{"version": 2, "share": 100}])
    marketplace.set_routes(actor=bob, deployment=deployment, targets=both)
    first = TemplateVersion.objects.get(number=1)
    marketplace.withdraw_version(actor=alice, version=first, reason="Wrong data.")
    marketplace.roll_back(actor=bob, deployment=deployment)
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    started = marketplace.start_deployment(actor=bob, deployment=deployment)
    assert (started.status, shares(started)) == ("active", {1: 100})
    named = {"version": 1, "name": "Another"}
    again = marketplace.deploy_template(owner=bob, template=bought, custom_config=named)
    assert shares(again) == {1: 100}
    with pytest.raises(marketplace.InvalidDeployment, match=r"no version 1 .* \(known: 2\)"):
        marketplace.deploy_template(owner=mallory, template=bought, custom_config=named)


def test_bob_sets_what_he_likes_by_the_originals_name(bob, bought):
    made = marketplace.deploy_template(
        owner=bob,
        template=bought,
        custom_config={
            "name": "Mail room",
            "version": 1,
            "follows": "current",
            "batch_limit": 10,
            "timeout_ms": 500,
            "spend_cap": 2.5,
            "spend_period": "total",
        },
    )
    assert (made.name, made.follows, made.batch_limit) == ("Mail room", "current", 10)
    assert (made.timeout_ms, made.spend_cap_microcredits) == (500, 2_500_000)
    assert made.spend_period == "total"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"batch_limit": 0}, "custom_config.batch_limit: must be from 1 to 1,000, not 0"),
        ({"timeout": 5}, "custom_config.timeout: is not known here; did you mean 'timeout_ms'?"),
        ({"aggregation": "avg"}, "custom_config.aggregation: 'avg' is not known"),
        ({"version": 9}, r"custom_config.version: there is no version 9 of .* \(known: 1\)"),
        ({"routes": []}, "custom_config.routes: must be a list of 1 to 8"),
        ({"routes": [{"version": 1, "share": 60}]}, "must sum to 100 percent, not 60"),
        ({"aggregation": "mean"}, "aggregation: 'mean' merges the answers of several versions"),
        ({"spend_cap": -1}, "custom_config.spend_cap: must be from 0"),
        ({"fine_tune": {"epochs": 3}}, "custom_config.fine_tune.dataset: "),
    ],
)
def test_a_setting_that_makes_no_sense_names_itself_and_the_way_out(bob, bought, config, said):
    with pytest.raises(marketplace.InvalidDeployment, match=said):
        marketplace.deploy_template(owner=bob, template=bought, custom_config=config)
    assert not Deployment.objects.exists()


def test_a_name_stands_for_one_deployment_of_a_person(bob, bought, deployment):
    same = {"name": deployment.name, "batch_limit": 1_000}
    assert marketplace.deploy_template(owner=bob, template=bought, custom_config=same) == deployment
    twice = {"name": deployment.name, "batch_limit": 5}
    with pytest.raises(marketplace.NameTaken, match="choose another"):
        marketplace.deploy_template(owner=bob, template=bought, custom_config=twice)
    numbered = marketplace.deploy_template(
        owner=bob, template=bought, custom_config={"batch_limit": 5}
    )
    assert numbered.name == "Digit reader 2"
    numbered.name = deployment.name
    with pytest.raises(IntegrityError, match="one_open_deployment_per_name"), transaction.atomic():
        numbered.save()


def test_a_version_that_is_only_a_draft_is_for_its_author(alice, bob, bought):
    TemplateVersion.objects.create(
        template=bought, number=2, model=sibling(bought), changelog="soon"
    )
    with pytest.raises(marketplace.InvalidDeployment, match="no version 2"):
        marketplace.deploy_template(owner=bob, template=bought, custom_config={"version": 2})
    own = marketplace.deploy_template(owner=alice, template=bought, custom_config={"version": 2})
    assert own.version.number == 2


# Stopping and starting


def test_bob_stops_and_starts_again_with_what_answered(bob, mallory, deployment):
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    with pytest.raises(marketplace.NotDeployed, match="stopped"):
        marketplace.predict(user=bob, deployment=deployment, rows=[ROW], event_id=NOBODY)
    with pytest.raises(Deployment.DoesNotExist):
        marketplace.start_deployment(actor=mallory, deployment=deployment)
    started = marketplace.start_deployment(actor=bob, deployment=deployment)
    assert started.is_active
    answer = marketplace.predict(user=bob, deployment=started, rows=[ROW], event_id=uuid.uuid4())
    assert answer.version == 1


def test_what_a_moderator_hid_is_not_started(bob, judy, bought, deployment):
    bought.hide("Copied.")
    deployment.refresh_from_db()
    assert "moderator" in deployment.stopped_reason
    told = Notice.objects.get(type=NoticeType.DEPLOYMENT_STOPPED)
    assert (told.user, told.url) == (bob, bought.get_absolute_url())
    told = Notice.objects.get(type=NoticeType.TEMPLATE_REMOVED)
    assert told.user == bought.owner
    assert told.text.endswith("Copied.")
    with pytest.raises(marketplace.NotDeployed):
        marketplace.predict(user=bob, deployment=deployment, rows=[ROW], event_id=NOBODY)
    with pytest.raises(Exception, match="hidden"):
        marketplace.start_deployment(actor=bob, deployment=deployment)


def test_a_name_that_was_taken_meanwhile_is_told_at_the_start(bob, bought, deployment):
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    marketplace.deploy_template(owner=bob, template=bought)
    with pytest.raises(marketplace.NameTaken):
        marketplace.start_deployment(actor=bob, deployment=deployment)


# Limits


def test_more_rows_than_a_deployment_takes_are_refused_unpaid(bob, deployment):
    marketplace.configure_deployment(actor=bob, deployment=deployment, changes={"batch_limit": 2})
    deployment = Deployment.objects.with_stable().get(pk=deployment.pk)
    with pytest.raises(marketplace.BatchTooLarge, match="has 3 rows.*at most 2"):
        marketplace.predict(user=bob, deployment=deployment, rows=[ROW] * 3, event_id=NOBODY)
    answer = marketplace.predict(user=bob, deployment=deployment, rows=ROW, event_id=uuid.uuid4())
    assert len(answer.predictions) == 1
    assert usage(deployment).calls == 1


def test_a_setting_is_changed_by_its_owner_alone(bob, mallory, deployment):
    with pytest.raises(Deployment.DoesNotExist):
        marketplace.configure_deployment(
            actor=mallory, deployment=deployment, changes={"name": "mine"}
        )
    with pytest.raises(marketplace.InvalidDeployment, match="share"):
        marketplace.configure_deployment(actor=bob, deployment=deployment, changes={"share": 1})
    changed = marketplace.configure_deployment(
        actor=bob, deployment=deployment, changes={"name": "Inbox", "spend_cap": None}
    )
    assert (changed.name, changed.spend_cap_microcredits) == ("Inbox", None)


# The database


def test_the_database_holds_shares_to_100_at_commit(bob, deployment):
    route = deployment.answering
    for share in (99, 1):
        route.pk, route.share = None, share
        route.role, route.model = Route.Role.MEMBER, sibling(deployment.template)
        with pytest.raises(IntegrityError, match="sum to"), transaction.atomic():
            route.save(force_insert=True)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_database_refuses_a_route_that_changes_or_is_anothers(bob, bought, deployment):
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Route.objects.filter(pk=deployment.stable_id).update(share=50)
    other = marketplace.deploy_template(owner=bob, template=bought, custom_config={"name": "other"})
    with pytest.raises(IntegrityError, match="no stable route"), transaction.atomic():
        Deployment.objects.filter(pk=other.pk).update(stable=deployment.stable)


# Following


def test_who_follows_gets_the_new_version_and_who_pinned_does_not(bob, bought, deployment):
    follower = marketplace.deploy_template(
        owner=bob, template=bought, custom_config={"name": "f", "follows": "current"}
    )
    another_version(bought, model=sibling(bought))
    following.follow_all()
    assert (shares(deployment), shares(follower)) == ({1: 100}, {2: 100})
    assert "now answers with version 2" in Notice.objects.of(bob).first().text
    following.follow_all()
    assert follower.route_sets.count() == 2


def test_who_follows_stays_where_a_call_costs_more_and_is_told(bob, bought):
    follower = marketplace.deploy_template(
        owner=bob, template=bought, custom_config={"follows": "current"}
    )
    another_version(bought, model=sibling(bought), call_price=1_001)
    following.follow_all()
    assert shares(follower) == {1: 100}
    assert "a call of it costs more" in Notice.objects.of(bob).first().text
    following.follow_all()
    assert Notice.objects.of(bob).filter(type="template.new_version").count() == 1


def test_who_follows_stays_where_a_price_includes_fewer_calls_and_its_author_does_not(
    alice, bob, bought
):
    another_version(bought, model=sibling(bought), monthly_calls=100)
    follows = {"custom_config": {"follows": "current"}}
    hers, his = (
        marketplace.deploy_template(owner=owner, template=bought, **follows)
        for owner in (alice, bob)
    )
    another_version(bought, model=sibling(bought), monthly_calls=99)
    following.follow_all()
    assert (shares(hers), shares(his)) == ({3: 100}, {2: 100})
    assert "includes fewer calls a month" in Notice.objects.of(bob).first().text


def test_what_could_not_be_followed_rests_before_it_is_tried_again(bob, bought):
    follows = {"custom_config": {"follows": "current"}}
    his = marketplace.deploy_template(owner=bob, template=bought, **follows)
    another_version(bought, model=sibling(bought, sha256="0" * 64))  # of no file
    following.follow_all()
    another_version(bought, model=sibling(bought, sha256=his.model.sha256))
    following.follow_all()
    assert shares(his) == {1: 100}
    cache.clear()  # as if it had rested
    following.follow_all()
    assert shares(his) == {3: 100}


# Merging


def test_merged_versions_all_answer_and_cost_the_sum(bob, bought, second):
    made = marketplace.deploy_template(
        owner=bob,
        template=bought,
        custom_config={
            "aggregation": "ensemble",
            "routes": [{"version": 1, "share": 70}, {"version": 2, "share": 30}],
        },
    )
    answer = marketplace.predict(user=bob, deployment=made, rows=[ROW], event_id=uuid.uuid4())
    assert (answer.microcredits, sorted(answer.individual)) == (2_000, [1, 2])
    alone = training.predict(model=made.model, rows=[ROW])[0]
    assert answer.predictions[0].label == alone.label
    assert answer.predictions[0].confidence == pytest.approx(alone.confidence)
    billing.settle_usage()
    assert usage(made).microcredits == 2_000
    assert billing.ledger_faults() == []


def test_of_merged_versions_the_author_has_a_part_of_what_she_asks_alone(bob, bought):
    another_version(bought, model=sibling(bought), call_price=0)
    made = marketplace.deploy_template(
        owner=bob,
        template=bought,
        custom_config={
            "aggregation": "mean",
            "routes": [{"version": 1, "share": 70}, {"version": 2, "share": 30}],
        },
    )
    for _ in range(2):  # asked again, charged once
        answer = marketplace.predict(user=bob, deployment=made, rows=[ROW], event_id=NOBODY)
        assert answer.microcredits == 1_100
    charged = UsageEvent.objects.filter(source=made.source)
    assert dict(charged.values_list("author__username", "price_microcredits")) == {
        "alice": 1_000,
        None: 100,
    }
    assert charged.count() == 2


# The doors


def asked(client, method, address, body=None, **headers):
    return client.generic(
        method, address, json.dumps(body or {}), content_type="application/json", headers=headers
    )


def test_bob_deploys_sets_stops_and_starts_by_program(client, bob, bought):
    client.force_login(bob)
    config = {"custom_config": {"name": "By program", "batch_limit": 7}}
    made = asked(client, "POST", f"/api/v1/templates/{bought.pk}/deployments", config)
    assert made.status_code == 201
    address = f"/api/v1/deployments/{made.json()['deployment_id']}"
    found = client.get(address)
    assert (found.json()["batch_limit"], found.json()["routes"][0]["share"]) == (7, 100)
    unseen = asked(client, "PATCH", address, {"batch_limit": 8})
    assert unseen.status_code == 428
    patch = {"If-Match": found["ETag"]}
    changed = asked(client, "PATCH", address, {"batch_limit": 8, "spend_cap": "x"}, **patch)
    assert changed.status_code == 400
    changed = asked(client, "PATCH", address, {"batch_limit": 8, "spend_cap": 1.5}, **patch)
    assert (changed.json()["batch_limit"], changed.json()["spend_cap"]) == (8, "1.5")
    assert asked(client, "PATCH", address, {"batch_limit": 9}, **patch).status_code == 412
    answer = asked(client, "POST", made.json()["predict_url"], {"input": ROW})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert asked(client, "POST", f"{address}/stop").json()["status"] == "stopped"
    assert asked(client, "POST", made.json()["predict_url"], {"input": ROW}).status_code == 404
    assert asked(client, "POST", f"{address}/start").json()["status"] == "active"


def test_bobs_deployments_are_a_list_of_constant_queries(
    client, bob, mallory, bought, deployment, django_assert_max_num_queries
):
    client.force_login(bob)
    asks = []
    for number in range(2):
        for address in ("/api/v1/deployments", "/deployments/"):
            client.get(address)
            with django_assert_max_num_queries(12) as captured:
                assert client.get(address).status_code == 200
            asks.append(len(captured))
        for more in range(4):
            marketplace.deploy_template(
                owner=bob, template=bought, custom_config={"name": f"more {number} {more}"}
            )
    assert asks[:2] == asks[2:]
    assert client.get("/api/v1/deployments").json()["count"] == 9
    client.force_login(mallory)
    assert client.get("/api/v1/deployments").json()["count"] == 0
    for method, address in (
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/stop"),
        ("POST", "/start"),
        ("GET", "/routes"),
        ("DELETE", "/canary"),
        ("POST", "/canary/promote"),
        ("POST", "/rollback"),
    ):
        path = f"/api/v1/deployments/{deployment.pk}{address}"
        answer = asked(client, method, path, **{"If-Match": "*"})
        assert answer.status_code == 404, address
    body = {"input": ROW}
    path = f"/api/v1/deployments/{deployment.pk}/predict"
    assert asked(client, "POST", path, body).status_code == 404


def test_a_call_goes_where_its_event_says_and_shares_are_kept(bob, bought, second):
    made = marketplace.deploy_template(
        owner=bob,
        template=bought,
        custom_config={"routes": [{"version": 1, "share": 75}, {"version": 2, "share": 25}]},
    )
    routes = routes_of(made.answering.route_set_id)
    counts = {1: 0, 2: 0}
    for number in range(2_000):
        event_id = uuid.UUID(int=number)
        route = picked(routes, event_id)
        assert picked(routes, event_id) is route
        counts[route.version.number] += 1
    assert counts[2] == pytest.approx(500, abs=100)


# Spending


def test_a_deployment_costs_no_more_than_its_owner_lets_it(bob, bought, deployment):
    marketplace.configure_deployment(
        actor=bob, deployment=deployment, changes={"spend_cap": 0.003, "spend_period": "total"}
    )
    deployment = Deployment.objects.with_stable().get(pk=deployment.pk)
    for _ in range(3):
        marketplace.predict(user=bob, deployment=deployment, rows=[ROW], event_id=uuid.uuid4())
    with pytest.raises(billing.SpendCapReached, match="Raise spend_cap"):
        marketplace.predict(user=bob, deployment=deployment, rows=[ROW], event_id=uuid.uuid4())
    marketplace.configure_deployment(actor=bob, deployment=deployment, changes={"spend_cap": None})
    deployment = Deployment.objects.with_stable().get(pk=deployment.pk)
    marketplace.predict(user=bob, deployment=deployment, rows=[ROW], event_id=uuid.uuid4())
    assert usage(deployment).calls == 4

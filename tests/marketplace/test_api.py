"""The JSON door: the original's operations, keys with scopes, answers a program can act on."""

import json

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from billing import services as billing
from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import DESCRIPTION_LENGTH_MAX, Purchase, Template
from tests.conftest import CARD, SMALL
from training import services as training
from training.models import Job
from training.runner import chunks, validations


@pytest.fixture
def api():
    """A client of a person's key: `api(bob)("POST", address, body)`."""

    def of(user, scopes=tuple(Scope)):
        _, secret = governance.create_api_key(owner=user, name="test", scopes=scopes)

        def call(method, address, body=None, **headers):
            return Client().generic(
                method,
                address,
                json.dumps(body) if body is not None else "",
                content_type="application/json",
                headers={"Authorization": f"Bearer {secret}"} | headers,
            )

        return call

    return of


def test_the_whole_path_by_program(api, alice, bob, judy, digits):
    call = api(alice)
    seeds_config = SMALL | {"divergent": {"enabled": False, "pattern": "lateral", "factor": 0.3}}
    started = call(
        "POST",
        "/api/v1/training-jobs",
        {"config": seeds_config, "tier": "nano", "user_id": str(alice.pk)},
    )
    assert started.status_code == 202
    assert started["Location"] == f"/api/v1/training-jobs/{started.json()['jobId']}"
    chunks.run_turn()
    status = call("GET", started["Location"]).json()
    assert (status["status"], status["progress"]) == ("done", 100.0)
    assert status["current_epoch"] == status["total_epochs"] == 12
    model_id = status["model_id"]
    asked = call("POST", f"/api/v1/models/{model_id}/validations")
    validations.validate_model(asked.json()["workflow_id"])
    said = call("PUT", f"/api/v1/models/{model_id}/card", CARD, **{"If-Match": "*"})
    assert said.json() == CARD | {"licence_terms": ""}
    published = call(
        "POST",
        "/api/v1/templates",
        {
            "model_id": model_id,
            "name": "My Custom Model",
            "description": "High-performance classification model",
            "category": "classification",
            "price": 15,
        },
    )
    assert published.status_code == 201
    template = marketplace_template(published.json()["templateId"])
    marketplace.approve_template(actor=judy, template=template)

    call = api(bob)
    listed = call("GET", "/api/v1/templates?category=classification&tier=paid&limit=20").json()
    assert [row["name"] for row in listed["templates"]] == ["My Custom Model"]
    bought = call("POST", f"/api/v1/templates/{template.pk}/purchases").json()
    assert (bought["author_credits"], bought["platform_credits"]) == ("10.5", "4.5")
    deployed = call("POST", f"/api/v1/templates/{template.pk}/deployments", {})
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    for spelling in ("input_data", "input"):
        answer = call("POST", deployed.json()["predict_url"], {spelling: row.values})
        assert answer.status_code == 200
        assert answer.json()["predictions"][0]["label"] == row.label
    billing.settle_usage()
    assert billing.ledger_faults() == []


def test_a_price_may_include_predictions_each_month(api, alice, model):
    body = {"model_id": str(model.pk), "name": "n", "description": "d", "monthly_calls": 2}
    assert api(alice)("POST", "/api/v1/templates", body).status_code == 201
    assert Template.objects.get().newest.monthly_calls == 2


def marketplace_template(template_id):
    return Template.objects.get(pk=template_id)


def test_a_bad_config_names_path_and_reason(api, alice, digits):
    layers = [{"type": "dense", "units": 5}, {"type": "dense", "units": 0}]
    config = SMALL | {"architecture": {"type": "feedforward", "layers": layers}}
    answer = api(alice)("POST", "/api/v1/training-jobs", {"config": config})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_config"
    fields = {entry["field"]: entry["reason"] for entry in problem["invalid_parameters"]}
    assert fields["architecture.layers[1].units"].startswith("must be from 1")
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": SMALL, "tier": "giant"}, "tier"),
        ({"tier": "nano"}, "config"),
        ({"config": SMALL, "seed": -1}, "seed"),
    ],
)
def test_fields_that_do_not_fit_are_named(api, alice, digits, body, field):
    answer = api(alice)("POST", "/api/v1/training-jobs", body)
    assert answer.status_code == 400
    assert [entry["field"] for entry in answer.json()["invalid_parameters"]] == [field]


def test_a_description_ends_after_a_page_at_every_door(api, client, alice, model):
    longest = "![" * (DESCRIPTION_LENGTH_MAX // 2)
    body = {"model_id": str(model.pk), "name": "n", "plan": "free", "description": longest + "x"}
    answer = api(alice)("POST", "/api/v1/templates", body)
    assert answer.status_code == 400
    assert [entry["field"] for entry in answer.json()["invalid_parameters"]] == ["description"]
    client.force_login(alice)
    draft = marketplace.start_template(owner=alice, model=model, name="Longest")
    typed = body | {"category": "vision", "action": "next"}
    page = client.post(f"/templates/{draft.slug}/draft/card/", typed)
    assert "at most 20000 characters" in page.content.decode()
    published = api(alice)("POST", "/api/v1/templates", body | {"description": longest})
    assert published.status_code == 201
    row = Template.objects.filter(pk=published.json()["id"])
    with pytest.raises(IntegrityError, match="readable"), transaction.atomic():
        row.update(description=longest + "x")


def test_json_that_is_none_and_nothing_at_all_are_problems_too(api, alice):
    client = api(alice)
    for address in ("/api/v1/training-jobs/00000000-0000-0000-0000-000000000000", "/api/v1/nope"):
        answer = client("GET", address)
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 404


def test_the_same_key_buys_once_and_other_content_is_refused(api, bob, alice, digits):
    call = api(alice)
    body = {"config": SMALL, "tier": "nano"}
    first = call("POST", "/api/v1/training-jobs", body, **{"Idempotency-Key": "one"})
    again = call("POST", "/api/v1/training-jobs", body, **{"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    other = call("POST", "/api/v1/training-jobs", body | {"seed": 1}, **{"Idempotency-Key": "one"})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert Job.objects.count() == 1


def test_too_few_credits_is_a_refusal_with_a_code(api, bob, template):
    everything = billing.available_microcredits(bob)
    billing.hold(owner=bob, amount_microcredits=everything, key="elsewhere", reason="elsewhere")
    answer = api(bob)("POST", f"/api/v1/templates/{template.pk}/purchases")
    assert answer.status_code in (402, 409)
    assert answer.json()["code"] == "insufficient_credits"
    assert not Purchase.objects.exists()


def test_a_program_may_say_what_it_saw_and_what_it_pays_at_most(api, bob, template):
    call, address = api(bob), f"/api/v1/templates/{template.pk}/purchases"
    for seen in ({"version": 2}, {"at_most_credits": "14.999999"}):
        refused = call("POST", address, seen)
        assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
        assert refused.json()["version"] == 1
        assert refused.json()["price_credits"] == "15"
    assert call("POST", address, {"at_most_credits": -1}).status_code == 400
    assert not Purchase.objects.exists()
    bought = call("POST", address, {"version": 1, "at_most_credits": 15})
    assert (bought.status_code, bought.json()["price_credits"]) == (201, "15")


def test_a_key_does_only_what_its_scopes_say(api, bob, template):
    call = api(bob, [Scope.MODELS_READ])
    assert call("GET", "/api/v1/templates").status_code == 200
    refused = call("POST", f"/api/v1/templates/{template.pk}/purchases")
    assert refused.status_code == 403
    assert "market:buy" in refused.json()["detail"]
    assert not Purchase.objects.exists()


def test_no_key_a_wrong_key_and_a_revoked_key_are_refused(client, api, bob):
    assert client.get("/api/v1/templates").status_code == 401
    for secret in ("nnm_live_x", "nnm_live_12345678_" + "a" * 46, ""):
        answer = client.get("/api/v1/templates", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
    call = api(bob)
    governance.revoke_api_key(owner=bob, key=bob.api_keys.get())
    assert call("GET", "/api/v1/templates").status_code == 401


def test_mallory_reaches_nothing_of_the_others(api, mallory, model):
    call = api(mallory)
    zeros = {"input_data": [0] * 64}
    for method, address, body in (
        ("GET", f"/api/v1/training-jobs/{model.job.pk}", None),
        ("DELETE", f"/api/v1/training-jobs/{model.job.pk}", None),
        ("POST", f"/api/v1/models/{model.pk}/validations", None),
        ("POST", f"/api/v1/models/{model.pk}/predict", zeros),
        ("POST", "/api/v1/templates", {"model_id": str(model.pk), "name": "n", "description": "d"}),
    ):
        assert call(method, address, body).status_code == 404, address
    assert call("GET", "/api/v1/models").json()["models"] == []


def test_a_row_that_does_not_fit_says_what_would(api, alice, model):
    answer = api(alice)("POST", f"/api/v1/models/{model.pk}/predict", {"input_data": [1, 2]})
    assert answer.status_code == 422
    assert "64 values" in answer.json()["detail"]
    both = {"input_data": [0] * 64, "input": [0] * 64}
    assert api(alice)("POST", f"/api/v1/models/{model.pk}/predict", both).status_code == 400


def test_the_api_describes_itself_with_the_originals_names(client, db):
    schema = client.get("/api/schema/", headers={"Accept": "application/json"})
    operations = {
        operation["operationId"]
        for path in schema.json()["paths"].values()
        for operation in path.values()
    }
    assert {
        "neural_train",
        "neural_training_status",
        "neural_list_models",
        "neural_predict",
        "neural_validation_workflow",
        "neural_performance_benchmark",
        "neural_list_templates",
        "neural_publish_template",
        "neural_deploy_template",
    } <= operations


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        ('{"config":' + "[" * 10_000 + "]" * 10_000 + "}", 400, "nested too deeply"),
        ('{"config": "' + "a" * 3_000_000 + '"}', 400, "too large"),
        ('{"config": 1e999}', 400, "JSON"),
        ('{"config": {}, "name": "a\\u0000"}', 400, "name"),
        ('{"config": {}, "name": "a\\ud800"}', 400, "name"),
        ('{"config": {}, "tier": "\\ud800"}', 400, "tier"),
        ('{"config": {"\\ud800": 1}}', 422, "\\ud800: is not known here"),
        ('{"config": {}, "tier": "' + "x" * 100_000 + '"}', 400, "…"),
        ("[1]", 400, "dictionary"),
    ],
)
def test_hostile_json_is_a_problem_and_never_a_fault_of_ours(
    api, alice, digits, raw, status, reason
):
    _, secret = governance.create_api_key(owner=alice, name="t", scopes=list(Scope))
    answer = Client(raise_request_exception=False).generic(
        "POST",
        "/api/v1/training-jobs",
        raw,
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert reason in answer.json()["detail"]
    assert len(answer.content) < 50_000


def test_a_deployment_is_named_by_text_that_can_be_kept(api, bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    address = f"/api/v1/templates/{template.pk}/deployments"
    for config in ({"name": "a\0"}, {"name": "\ud800"}, {"\ud800": "x"}, {"name": 1}):
        assert api(bob)("POST", address, {"custom_config": config}).status_code == 400
    assert api(bob)("POST", address, {"custom_config": {"name": "x" * 81}}).status_code == 400
    assert api(bob)("POST", address, {"custom_config": {"name": "Döner 🥙"}}).status_code == 201


def test_an_idempotency_key_has_a_length(api, alice, digits):
    headers = {"Idempotency-Key": "k" * 5_000}
    answer = api(alice)("POST", "/api/v1/training-jobs", {"config": SMALL}, **headers)
    assert answer.status_code == 400
    assert "at most 200" in answer.json()["detail"]
    assert not Job.objects.exists()


@pytest.fixture
def catalogue(alice, judy, template):
    """Five templates of one model."""
    for number in range(4):
        made = marketplace.publish_template(
            owner=alice,
            model=template.shown.model,
            name=f"More {number}",
            description="d",
            category="vision",
            plan="free",
        )
        marketplace.approve_template(actor=judy, template=made)
    return Template.objects.public()


def test_a_list_is_read_page_by_page_to_its_end(api, bob, catalogue):
    call, address, found = api(bob), "/api/v1/templates?limit=2", []
    while address:
        answer = call("GET", address).json()
        assert answer["count"] <= 2
        found += [row["id"] for row in answer["templates"]]
        address = answer["next"]
    assert sorted(found) == sorted(str(row.pk) for row in catalogue)
    assert call("GET", "/api/v1/templates?cursor=nonsense").status_code == 400


def test_a_list_asks_the_database_the_same_for_many_as_for_one(
    api, bob, catalogue, django_assert_max_num_queries
):
    marketplace.deploy_template(owner=bob, template=catalogue.get(name="More 1"))
    call = api(bob)
    with django_assert_max_num_queries(5):
        found = call("GET", "/api/v1/templates").json()["templates"]
    assert {row["name"]: row["downloads"] for row in found if row["downloads"]} == {"More 1": 1}


def test_a_benchmark_is_measured_when_it_is_asked_for(api, alice, model):
    call, address = api(alice), f"/api/v1/models/{model.pk}/benchmarks"
    started = call("POST", address)
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    validations.validate_model(started.json()["benchmark_id"])
    found = call("GET", address).json()
    assert found["results"]["latency_p50"] > 0
    assert model.validations.finished().count() == 2


def test_a_model_without_figures_says_so(api, alice, job):
    chunks.run_turn()
    answer = api(alice)("GET", f"/api/v1/models/{job.model.pk}/benchmarks")
    assert answer.json()["code"] == "not_ready"


def test_what_nobody_may_do_is_answered_by_what_can_be_done(api, client, bob):
    answer = api(bob)("DELETE", "/api/v1/templates")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert answer.json()["code"] == "method_not_allowed"
    assert client.post("/api/v1/templates").status_code == 401


@pytest.mark.parametrize("field", ["name", "summary"])
def test_text_that_nobody_can_see_is_no_text(api, alice, bob, model, template, field):
    unseen = "\u202edigits\u200b"
    body = {"model_id": str(model.pk), "name": "n", "description": "d", "plan": "free"}
    answer = api(alice)("POST", "/api/v1/templates", body | {field: unseen})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_template")
    asked = {"config": SMALL, "name": unseen}
    assert api(alice)("POST", "/api/v1/training-jobs", asked).status_code == 422
    marketplace.buy_template(buyer=bob, template=template)
    address = f"/api/v1/templates/{template.pk}/deployments"
    assert api(bob)("POST", address, {"custom_config": {"name": unseen}}).status_code == 422

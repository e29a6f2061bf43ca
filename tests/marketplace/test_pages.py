"""The pages as people use them: without JavaScript, signed in or not, as owner or stranger."""

import html
import json

import pytest
from django.test import Client
from django.urls import reverse

from billing import services as billing
from marketplace import services as marketplace
from marketplace.models import Deployment, Purchase
from tests.marketplace.metered import usage
from training import services as training
from training.models import Dataset

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def as_bob(bob) -> Client:
    client = Client()
    client.force_login(bob)
    return client


def text(response) -> str:
    return response.content.decode()


def test_a_visitor_finds_the_template_and_its_measured_numbers(client, template):
    catalogue = text(client.get("/templates/", {"q": "digit", "category": "vision"}))
    assert template.name in catalogue
    page = text(client.get(template.get_absolute_url()))
    assert f"{template.shown.validation.accuracy * 100:.4g}" in page
    assert template.shown.model.weights_sha256 in page
    assert "<strong>digits</strong>" in page
    assert "Sign in to buy" in page


def test_a_search_that_finds_nothing_says_how_to_go_on(client, template):
    page = text(client.get("/templates/", {"q": "zebra"}))
    assert "No template matches" in page
    assert "Show everything" in page


def test_sorts_and_odd_parameters_do_not_break_the_catalogue(client, template):
    for query in ("sort=accuracy", "sort=fastest", "sort=price", "sort=x", "category=x", "page=99"):
        assert client.get(f"/templates/?{query}").status_code == 200


def test_the_catalogue_asks_the_database_the_same_for_many_as_for_one(
    client, template, alice, judy, django_assert_max_num_queries
):
    for _ in range(5):
        made = marketplace.publish_template(
            owner=alice,
            model=template.shown.model,
            name="More of it",
            description="d",
            category="vision",
            plan="standard",
            price_microcredits=1,
        )
        marketplace.approve_template(actor=judy, template=made)
    with django_assert_max_num_queries(12):
        client.get("/templates/")
    with django_assert_max_num_queries(12):
        client.get("/")


def test_htmx_gets_only_the_results(client, template):
    fragment = text(client.get("/templates/", headers={"HX-Request": "true"}))
    assert fragment.lstrip().startswith('<div class="stack" id="results"')
    assert "<html" not in fragment


def test_bob_buys_deploys_and_predicts_by_forms_alone(as_bob, bob, template, digits):
    page = as_bob.post(
        reverse("marketplace:buy", args=[template.slug]), {"version": 1}, follow=True
    )
    assert "is yours for 15 credits; 10.5 of them went to alice" in text(page)
    page = as_bob.post(
        reverse("marketplace:deploy", args=[template.slug]), {"version": 1}, follow=True
    )
    deployment = Deployment.objects.get(owner=bob)
    assert f"/api/v1/deployments/{deployment.pk}/predict" in text(page)
    assert f"/api/v1/models/{deployment.model_id}/predict" not in text(page)
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    answer = text(as_bob.post(deployment.get_absolute_url(), {"row": row.number}))
    assert f"<b>{row.label}</b>" in answer
    assert "0.001 credits" in answer
    drawn = text(
        as_bob.post(
            deployment.get_absolute_url(),
            {"pixels": ",".join(map(str, row.values))},
            headers={"HX-Request": "true"},
        )
    )
    assert f"<b>{row.label}</b>" in drawn
    assert "<html" not in drawn
    assert 'id="ask-' not in drawn  # what is typed in the other form stays
    assert usage(deployment).calls == 2


def test_what_cannot_be_predicted_is_explained_beside_the_form(as_bob, deployment):
    for posted, fault in [
        ({}, "Draw something, pick a row"),
        ({"pixels": "1,2,x"}, "Pixels: value 3: must be a number, not &#x27;x&#x27;"),
        ({"pixels": "1,2,3"}, "Must be 64 values"),
        ({"row": "99999"}, "not between 0 and 1796"),
    ]:
        page = as_bob.post(deployment.get_absolute_url(), posted)
        assert page.status_code == 200
        assert fault in text(page)
    assert usage(deployment).calls == 0


def test_too_few_credits_is_a_clear_refusal_that_changes_nothing(as_bob, bob, template):
    everything = billing.available_microcredits(bob)
    billing.hold(owner=bob, amount_microcredits=everything, key="elsewhere", reason="elsewhere")
    page = as_bob.post(
        reverse("marketplace:buy", args=[template.slug]), {"version": 1}, follow=True
    )
    assert page.status_code == 200
    assert "15" in text(page)
    assert "credits" in text(page)
    assert not Purchase.objects.exists()


def test_what_is_in_review_is_seen_by_its_author_alone(client, alice, bob, model):
    waiting = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Waiting",
        description="d",
        category="vision",
        plan="free",
    )
    assert client.get(waiting.get_absolute_url()).status_code == 404
    client.force_login(bob)
    assert client.get(waiting.get_absolute_url()).status_code == 404
    client.force_login(alice)
    assert "only you and reviewers see it" in text(client.get(waiting.get_absolute_url()))


def test_mallory_sees_nothing_of_the_deployment_model_and_job_of_others(
    client, mallory, deployment, model
):
    client.force_login(mallory)
    for row in (deployment, model, model.job):
        assert client.get(row.get_absolute_url()).status_code == 404
    stop = reverse("marketplace:stop_deployment", args=[deployment.pk])
    assert client.post(stop).status_code == 404
    deployment.refresh_from_db()
    assert not deployment.is_over


def test_descriptions_cannot_carry_scripts(client, alice, judy, model):
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="<b>x</b>",
        description='<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror="y">',
        category="vision",
        plan="free",
    )
    marketplace.approve_template(actor=judy, template=template)
    page = text(client.get(template.get_absolute_url()))
    body = page[page.index('class="prose"') :]
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page
    assert "<img" not in body[: body.index("</section>")]
    assert "<b>x</b>" not in page


@pytest.fixture
def private_rows(digits, alice):
    """The digits as if alice had brought them."""
    Dataset.objects.filter(pk=digits.pk).update(owner=alice)


def test_what_alice_brought_is_not_handed_out_with_the_model_that_she_sells(
    client, as_bob, template, deployment, private_rows, digits, alice
):
    first = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    row = json.dumps(first.values)[1:-1]
    address = template.get_absolute_url()
    for page in (
        text(client.get(address)),
        text(as_bob.get(address)),
        text(as_bob.get(deployment.get_absolute_url())),
    ):
        assert row not in html.unescape(page)
        assert 'class="pixels"' not in page
        assert digits.get_absolute_url() not in page
    asked = as_bob.post(deployment.get_absolute_url(), {"row": 0})
    assert "are not yours to see" in text(asked)
    client.force_login(alice)
    assert row in html.unescape(text(client.get(address)))


def test_the_example_of_private_rows_is_one_that_the_model_answers(
    model, private_rows, digits, alice, bob
):
    model.refresh_from_db()
    shown = training.example_question(model=model, viewer=bob)
    assert shown != training.example_question(model=model, viewer=alice)
    assert training.predict(model=model, rows=shown)[0].label in digits.classes

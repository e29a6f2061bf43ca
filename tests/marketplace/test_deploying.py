"""alice trains what she deploys further, and bob deploys several at once."""

import pytest
from django.urls import reverse

from billing import services as billing
from governance import services as governance
from governance.models import Notice, Scope
from governance.services import Refusal
from marketplace import services as marketplace
from marketplace.models import Deployment, Template
from marketplace.runner import preparing
from tests.conftest import SMALL
from tests.marketplace.versions import sibling
from training import services as training
from training.models import Job
from training.runner import chunks

pytestmark = pytest.mark.usefixtures("shared_template")

TUNE = {"fine_tune": {"dataset": "digits", "epochs": 1, "seed": 7}}


@pytest.fixture
def preparing_one(alice, template) -> Deployment:
    return marketplace.deploy_template(owner=alice, template=template, custom_config=TUNE)


def after_training(deployment: Deployment) -> Deployment:
    while not deployment.job.is_over:
        chunks.run_turn()
        deployment.job.refresh_from_db()
    preparing.prepare_all()
    deployment.refresh_from_db()
    return deployment


def test_what_was_trained_answers_as_soon_as_it_is(alice, template, preparing_one):
    found = preparing_one
    assert (found.status, found.job.parent) == ("preparing", template.current.model)
    assert (found.job.epochs, found.job.seed) == (1, 7)
    preparing.prepare_all()
    found.refresh_from_db()
    assert found.status == "preparing"
    after_training(found)
    assert (found.status, found.model) == ("active", found.job.model)
    assert found.version == template.current
    assert "is trained and answers" in Notice.objects.filter(user=alice).first().text
    assert billing.ledger_faults() == []


def test_the_price_is_told_before(alice, template):
    (quote,) = marketplace.quote_deployments(owner=alice, templates=[template], custom_config=TUNE)
    assert quote.purchase == 0
    assert not Job.objects.exclude(model=template.current.model).exists()
    made = marketplace.deploy_template(owner=alice, template=template, custom_config=TUNE)
    assert quote.training == made.job.quote_microcredits > 0


def test_a_deployment_whose_training_ends_says_why(alice, preparing_one):
    training.cancel_job(actor=alice, job=preparing_one.job)
    preparing.prepare_all()
    preparing_one.refresh_from_db()
    assert preparing_one.status == "failed"
    assert "is cancelled" in preparing_one.stopped_reason


def test_who_stops_waiting_stops_the_training(alice, preparing_one):
    marketplace.stop_deployment(actor=alice, deployment=preparing_one)
    preparing_one.job.refresh_from_db()
    assert preparing_one.job.status == "cancelled"


def test_a_buyer_may_not_train_the_authors_weights_further(bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    with pytest.raises(training.NotOwner, match="only the owner of “Digit reader”"):
        marketplace.deploy_template(owner=bob, template=template, custom_config=TUNE)
    assert not Deployment.objects.exists()
    assert not Job.objects.filter(owner=bob).exists()


def test_a_key_that_may_only_deploy_has_nothing_trained(client, alice, template):
    _, secret = governance.create_api_key(owner=alice, name="deploys", scopes=[Scope.BUY])
    sent = {"custom_config": TUNE, "template_ids": [str(template.pk)]}
    for address in (f"/api/v1/templates/{template.pk}/deployments", "/api/v1/deployments"):
        answer = client.post(
            address,
            sent,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert (answer.status_code, "'train'" in answer.json()["detail"]) == (403, True)
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"fine_tune": {"dataset": "none"}}, "'none' is no dataset that you can see"),
        ({"fine_tune": {"dataset": "digits", "epochs": 0}}, "fine_tune.epochs: must be from 1"),
        (TUNE | {"follows": "current"}, "custom_config.follows: leave it out"),
        (TUNE | {"aggregation": "mean"}, "custom_config.aggregation: leave it out"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused_by_its_path(alice, template, config, said):
    with pytest.raises(Refusal, match=said):
        marketplace.deploy_template(owner=alice, template=template, custom_config=config)


def test_a_draft_that_has_other_weights_meanwhile_stops_its_own_deployment_alone(
    alice, template, preparing_one
):
    draft = marketplace.start_template(owner=alice, model=template.shown.model, name="Draft")
    stranded = marketplace.deploy_template(owner=alice, template=draft, custom_config=TUNE)
    marketplace.choose_model(actor=alice, version=draft.shown, model=sibling(template))
    after_training(stranded)
    after_training(preparing_one)
    assert (stranded.status, preparing_one.status) == ("failed", "active")
    assert f"your model “{stranded.job.model.name}”" in stranded.stopped_reason


# Several at once


@pytest.fixture
def free(alice, judy, template, model) -> Template:
    """Another of alice's, for nothing."""
    made = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Free reader",
        description="Reads digits.",
        category=template.category,
        plan="free",
    )
    return marketplace.approve_template(actor=judy, template=made)


def test_all_are_deployed_or_none(bob, template, free):
    with pytest.raises(Refusal, match="Buy “Digit reader” for 15 credits first"):
        marketplace.deploy_templates(owner=bob, templates=[free, template])
    assert not Deployment.objects.exists()
    quotes = marketplace.quote_deployments(owner=bob, templates=[free, template])
    assert [each.purchase for each in quotes] == [0, 15_000_000]
    marketplace.buy_template(buyer=bob, template=template)
    made = marketplace.deploy_templates(
        owner=bob, templates=[free, template], custom_config={"spend_cap": 2}
    )
    assert [each.template for each in made] == [free, template]
    assert {each.spend_cap_microcredits for each in made} == {2_000_000}
    assert marketplace.deploy_templates(
        owner=bob, templates=[template, free], custom_config={"spend_cap": 2}
    ) == list(reversed(made))
    with pytest.raises(Refusal, match="custom_config.name: is of one template"):
        marketplace.deploy_templates(
            owner=bob, templates=[free, template], custom_config={"name": "Same"}
        )


def test_a_program_deploys_several_under_one_key(client, bob, template, free):
    _, secret = governance.create_api_key(owner=bob, name="key", scopes=list(Scope))
    marketplace.buy_template(buyer=bob, template=template)
    sent = {"template_ids": [str(free.pk), str(template.pk)], "custom_config": {}}
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "all"}

    def post(path: str = ""):
        return client.post(
            f"/api/v1/deployments{path}", sent, content_type="application/json", headers=headers
        )

    quoted = post("/quote").json()
    assert (quoted["total_credits"], len(quoted["templates"])) == ("0", 2)
    first, again = post(), post()
    assert first.status_code == 201
    assert [each["template"] for each in first.json()["deployments"]] == [
        "Free reader",
        "Digit reader",
    ]
    assert again["Idempotency-Replayed"] == "true"
    assert Deployment.objects.count() == 2


def test_bob_deploys_a_collection_and_a_comparison_from_their_pages(client, bob, template, free):
    client.force_login(bob)
    kept = marketplace.make_collection(owner=bob, name="Mine")
    for each in (template, free):
        marketplace.collect_template(actor=bob, collection=kept, template=each)
    assert "Deploy all" in client.get(kept.get_absolute_url()).text
    compare = f"{reverse('marketplace:compare')}?t={template.slug}&t={free.slug}"
    assert "Deploy these" in client.get(compare).text
    where = reverse("marketplace:deploy_several")
    both = f"{where}?t={template.slug}&t={free.slug}"
    assert "Buy those that have a price" in client.get(both).text
    marketplace.buy_template(buyer=bob, template=template)
    assert "All of them, or none" in client.get(both).text
    done = client.post(where, {"t": [template.slug, free.slug]}, follow=True)
    assert "2 templates are deployed and answer" in done.text
    assert "Nothing to deploy" in client.get(where).text
    assert client.get(f"{where}?t=nothing").status_code == 404


def test_alice_sees_the_price_of_training_and_then_waits_on_the_page(client, alice, template):
    client.force_login(alice)
    assert "train it further first" in client.get(template.get_absolute_url()).text
    where = reverse("marketplace:deploy_several")
    asked = f"{where}?t={template.slug}&dataset=digits&epochs=1&learning_rate="
    assert "for at most 1.00" in client.get(asked).text
    sent = {"t": template.slug, "dataset": "digits", "epochs": "1", "learning_rate": ""}
    page = client.post(where, sent, follow=True)
    assert "Not ready yet" in page.text
    assert Deployment.objects.get().job.config["training"]["epochs"] == 1
    assert SMALL["training"]["epochs"] != 1

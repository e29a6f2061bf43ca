"""alice publishes, judy decides, bob buys, mallory tries."""

import uuid

import pytest
from django.db import IntegrityError, transaction

from billing import services as billing
from governance import services as governance
from governance.models import Notice, NoticeType
from governance.services import NotAllowed, Refusal
from marketplace import services as marketplace
from marketplace.models import Deployment, Plan, Purchase, Template
from tests.marketplace.metered import Usage, usage
from training import services as training
from training.models import Category

pytestmark = pytest.mark.usefixtures("shared_training")


def publish(owner, model, **terms):
    asked = {
        "name": "Digit reader",
        "description": "Reads digits.",
        "category": Category.VISION,
        "plan": Plan.STANDARD,
        "price_microcredits": 15_000_000,
    }
    return marketplace.publish_template(owner=owner, model=model, **asked | terms)


def test_a_template_is_public_only_after_a_moderator_looked(alice, judy, model):
    template = publish(alice, model)
    assert not Template.objects.public().exists()
    marketplace.approve_template(actor=judy, template=template)
    assert Template.objects.public().get() == template
    assert template.shown.validation.accuracy == model.validations.get().accuracy


def test_bob_may_not_approve_and_judy_may_not_approve_her_own(alice, bob, judy, model):
    template = publish(alice, model)
    with pytest.raises(NotAllowed):
        marketplace.approve_template(actor=bob, template=template)
    Template.objects.filter(pk=template.pk).update(owner=judy)
    template.refresh_from_db()
    with pytest.raises(NotAllowed, match="their own"):
        marketplace.approve_template(actor=judy, template=template)


def test_a_rejection_says_what_to_mend(alice, judy, model):
    template = publish(alice, model)
    with pytest.raises(Refusal, match="note"):
        marketplace.reject_template(actor=judy, template=template, note=" ")
    marketplace.reject_template(actor=judy, template=template, note="Say where it fails.")
    template.refresh_from_db()
    assert (template.state, template.newest.review_note) == ("rejected", "Say where it fails.")
    with pytest.raises(Refusal, match="not waiting"):
        marketplace.approve_template(actor=judy, template=template)


def test_a_model_that_was_not_measured_is_not_published(alice, model):
    model.validations.all().delete()
    with pytest.raises(marketplace.NotValidated):
        publish(alice, model)


def test_terms_that_make_no_sense_name_their_field(alice, model):
    for terms, field in [
        ({"name": " "}, "name"),
        ({"name": "fdp.\u202eexe"}, "name"),
        ({"name": "a\r\nX-Header: b"}, "name"),
        ({"description": ""}, "description"),
        ({"price_microcredits": -1}, "price"),
        ({"call_price_microcredits": 99}, "call_price"),
        ({"plan": Plan.FREE}, "price"),
        ({"price_microcredits": 0}, "price"),
    ]:
        with pytest.raises(marketplace.InvalidTemplate, match=f"^{field}:"):
            publish(alice, model, **terms)
    assert not Template.objects.exists()


def test_a_name_that_is_an_address_of_ours_gets_another(alice, model):
    assert publish(alice, model, name="Mine").slug == "mine-2"


def test_mallory_cannot_publish_the_model_of_alice(mallory, model):
    with pytest.raises(NotAllowed):
        publish(mallory, model)


def test_bob_buys_and_alice_gets_70_percent(alice, bob, template):
    before = {user: billing.available_microcredits(user) for user in (alice, bob)}
    purchase = marketplace.buy_template(buyer=bob, template=template)
    assert (purchase.author_microcredits, purchase.platform_microcredits) == (10_500_000, 4_500_000)
    assert before[bob] - billing.available_microcredits(bob) == 15_000_000
    assert billing.available_microcredits(alice) - before[alice] == 10_500_000
    assert billing.ledger_faults() == []
    notice = Notice.objects.of(alice).get(type=NoticeType.TEMPLATE_SOLD)
    assert notice.text == "“Digit reader” was sold for 15 credits, of which 10.5 are yours."
    assert notice.data == {"template_id": str(template.pk), "version": 1, "credits": "10.5"}


def test_without_enough_credits_nothing_changes(mallory, template):
    billing.hold(
        owner=mallory,
        amount_microcredits=billing.available_microcredits(mallory) - 1_000_000,
        key="elsewhere",
        reason="spent elsewhere",
    )
    with pytest.raises(billing.InsufficientCredits) as refusal, transaction.atomic():
        marketplace.buy_template(buyer=mallory, template=template)
    assert "15" in str(refusal.value)
    assert not Purchase.objects.exists()
    assert billing.available_microcredits(mallory) == 1_000_000
    assert billing.ledger_faults() == []


def test_bob_does_not_pay_twice_and_alice_not_at_all(alice, bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    with pytest.raises(marketplace.AlreadyBought):
        marketplace.buy_template(buyer=bob, template=template)
    with pytest.raises(marketplace.OwnTemplate):
        marketplace.buy_template(buyer=alice, template=template)


def test_what_is_not_public_or_hidden_is_not_sold(alice, bob, judy, model, template):
    waiting = publish(alice, model)
    with pytest.raises(Refusal, match="not on offer"):
        marketplace.buy_template(buyer=bob, template=waiting)
    governance.hide(actor=judy, subject=template, reason="Copied.")
    with pytest.raises(Refusal, match="not on offer"):
        marketplace.buy_template(buyer=bob, template=template)


def test_bob_deploys_what_he_bought_and_mallory_does_not(bob, mallory, template):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    assert marketplace.deploy_template(owner=bob, template=template) == deployment
    with pytest.raises(NotAllowed, match="Buy"):
        marketplace.deploy_template(owner=mallory, template=template)


def test_what_is_free_is_deployed_without_a_purchase_page(alice, bob, judy, model):
    template = publish(alice, model, plan=Plan.FREE, price_microcredits=0)
    marketplace.approve_template(actor=judy, template=template)
    marketplace.deploy_template(owner=bob, template=template)
    assert Purchase.objects.get().price_microcredits == 0


def priced_anew(alice, judy, template, price: int) -> Template:
    """The next version of the same model, on offer for so much."""
    version = marketplace.start_version(
        owner=alice, template=template, model=template.shown.model, changelog="Other terms."
    )
    marketplace.price_version(
        actor=alice,
        version=version,
        plan=Plan.STANDARD if price else Plan.FREE,
        price_microcredits=price,
        call_price_microcredits=1_000,
    )
    marketplace.submit_version(actor=alice, version=version)
    marketplace.approve_template(actor=judy, template=template)
    return Template.objects.get(pk=template.pk)


def test_deploying_an_older_version_that_was_free_never_charges_what_is_on_offer_now(
    alice, bob, judy, model
):
    template = publish(alice, model, plan=Plan.FREE, price_microcredits=0)
    marketplace.approve_template(actor=judy, template=template)
    template = priced_anew(alice, judy, template, 50_000_000)
    had = billing.available_microcredits(bob)
    with pytest.raises(NotAllowed, match="for 50 credits first"):
        marketplace.deploy_template(owner=bob, template=template, custom_config={"version": 1})
    assert billing.available_microcredits(bob) == had
    assert not Purchase.objects.exists()


def test_what_is_free_now_is_deployed_in_a_version_that_cost_something(alice, bob, judy, template):
    template = priced_anew(alice, judy, template, 0)
    made = marketplace.deploy_template(owner=bob, template=template, custom_config={"version": 1})
    assert made.version.number == 1
    assert Purchase.objects.get().price_microcredits == 0


def test_each_prediction_is_metered_and_pays_alice(alice, bob, digits, template):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    rows = training.preview_rows(dataset=digits, count=3, part=training.Part.TEST)
    earned = billing.available_microcredits(alice)
    for row in rows:
        marketplace.predict(
            user=bob, deployment=deployment, rows=[row.values], event_id=uuid.uuid4()
        )
    billing.settle_usage()
    assert usage(deployment) == Usage(calls=3, microcredits=3_000)
    assert billing.available_microcredits(alice) - earned == 2_100
    assert billing.ledger_faults() == []


def test_a_stopped_deployment_does_not_answer(bob, template, mallory):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    with pytest.raises(Refusal):
        marketplace.stop_deployment(actor=mallory, deployment=deployment)
    stopped = marketplace.stop_deployment(actor=bob, deployment=deployment)
    with pytest.raises(marketplace.NotDeployed):
        marketplace.predict(user=bob, deployment=stopped, rows=[[0.0] * 64], event_id=uuid.uuid4())
    with pytest.raises(marketplace.NotDeployed):
        marketplace.predict_model(
            user=bob, model_id=deployment.model_id, rows=[[0.0] * 64], event_id=uuid.uuid4()
        )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"price_microcredits": 0}, "purchase_is_split_without_remainder"),
        ({}, "paid_purchase_has_its_transfer"),
        ({}, "bought_once"),
    ],
)
def test_the_database_refuses_a_purchase_that_cannot_be(bob, template, change, constraint):
    purchase = marketplace.buy_template(buyer=bob, template=template)
    purchase.pk, purchase.transfer = uuid.uuid4(), None
    if constraint == "bought_once":
        purchase.price_microcredits = purchase.author_microcredits = 0
        purchase.platform_microcredits = 0
    for field, value in change.items():
        setattr(purchase, field, value)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        purchase.save(force_insert=True)


def test_what_was_sold_is_never_changed(bob, template):
    purchase = marketplace.buy_template(buyer=bob, template=template)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        purchase.save()
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Purchase.objects.filter(pk=purchase.pk)._raw_delete("default")


def test_one_active_deployment_per_version(bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    made = marketplace.deploy_template(owner=bob, template=template)
    made.pk = uuid.uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        made.save(force_insert=True)
    assert Deployment.objects.count() == 1


def test_bob_has_the_calls_that_his_price_includes_and_pays_for_more(alice, judy, bob, model):
    template = publish(alice, model, monthly_calls=3)
    template = marketplace.approve_template(actor=judy, template=template)
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    row = [0] * 64
    costs = [
        marketplace.predict(
            user=bob, deployment=deployment, rows=rows, event_id=uuid.uuid4()
        ).microcredits
        for rows in ([row, row], [row, row], [row], [row])
    ]
    price = template.shown.charged_microcredits
    assert costs == [0, 2 * price, 0, price]

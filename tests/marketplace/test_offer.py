"""A template's page: what stands on it for whom, older versions, and what stays of what is gone."""

import html
import re
import uuid

import pytest
from django.core.cache import cache
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from billing import services as billing
from governance import services as governance
from marketplace import services as marketplace
from marketplace.models import Deployment, Plan, Template, TemplateVersion, Thread
from tests.conftest import person
from training import services as training
from training.models import Dataset

pytestmark = pytest.mark.usefixtures("shared_template")

Status = TemplateVersion.Status


def page_of(template: Template, user=None, address: str = "", status: int = 200) -> str:
    client = Client()
    if user is not None:
        client.force_login(user)
    answer = client.get(f"{template.get_absolute_url()}{address}")
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def another_version(template: Template, *, number: int, price: int = 20_000_000) -> TemplateVersion:
    """One more on offer, by the states that lead there."""
    first = template.versions.get(number=1)
    version = TemplateVersion.objects.create(
        template=template,
        number=number,
        model=first.model,
        validation=first.validation,
        plan=Plan.STANDARD,
        price_microcredits=price,
        call_price_microcredits=2_000,
        monthly_calls=100,
        changelog="Reads sevens better.",
    )
    rows = TemplateVersion.objects.filter(pk=version.pk)
    rows.update(status=Status.SUBMITTED, submitted_at=Now())
    rows.update(status=Status.APPROVED)
    rows.update(status=Status.PUBLISHED, published_at=Now())
    Template.objects.filter(pk=template.pk).update(current=version.pk)
    version.refresh_from_db()
    return version


def end(version: TemplateVersion, status: Status, reason: str) -> None:
    rows = TemplateVersion.objects.filter(pk=version.pk)
    assert rows.update(status=status, ended_reason=reason) == 1


def test_bob_reads_all_that_decides_a_purchase_on_one_page(template, bob):
    page = page_of(template, bob)
    validation = template.shown.validation
    for said in (
        "<strong>digits</strong>",
        validation.get_certificate_display(),
        "95 % sure",
        "re-run",
        validation.receipt["command"],
        "Latency of one prediction",
        "Confusion matrix",
        "Apache-2.0",
        "What goes in",
        "one of 10, with the probability of each",
        template.shown.model.weights_sha256,
        "15 <small>credits, once</small>",
        "A person counts once a day",
    ):
        assert said in page, said
    figures = re.findall(r'href="#rerun" aria-label="Re-run ([^"]+), by', page)
    assert {"Accuracy", "Calibration error"} <= set(figures)
    assert page.count('id="rerun"') == 1


def test_ranges_are_told_of_data_that_one_may_see_and_of_no_other(template, bob, alice):
    offer = marketplace.find_offer(viewer=bob, slug=template.slug)
    dataset = offer.version.model.job.dataset
    Dataset.objects.filter(pk=dataset.pk).update(image_shape=None)
    spreads = {one.name: one for one in training.sample_rows(dataset=dataset).spreads}
    dataset.refresh_from_db()
    told = marketplace.signature_of(version=offer.version, viewer=bob)
    assert set(told) == {"What goes in", "What comes out"}
    for row in told["What goes in"]:
        if row.field.name in spreads and spreads[row.field.name].edges:
            assert (row.low, row.high) == (
                spreads[row.field.name].edges[0],
                spreads[row.field.name].edges[-1],
            )
    Dataset.objects.filter(pk=dataset.pk).update(owner=alice)
    offer = marketplace.find_offer(viewer=bob, slug=template.slug)
    hidden = marketplace.signature_of(version=offer.version, viewer=bob)
    assert all(row.low is None for rows in hidden.values() for row in rows)


def test_the_cost_of_calls_is_exact_and_worked_out_without_scripts(template, bob, alice):
    version = another_version(template, number=2)
    offer = marketplace.find_offer(viewer=bob, slug=template.slug)
    assert offer.version == version
    cost = marketplace.cost_of_calls(version=version, calls=1_100, standing=offer.standing)
    assert (cost.included, cost.paid, cost.call_microcredits) == (100, 1_000, 2_000)
    assert cost.month_microcredits == 2_000_000
    assert cost.first_month_microcredits == 22_000_000
    page = page_of(template, bob, "?calls=1100")
    assert 'value="1100"' in page
    assert "1,000 calls at 0.002, of which 0.0001 compute" in page
    assert "22 credits" in page
    part = Client().get(
        f"{template.get_absolute_url()}?calls=50",
        headers={"HX-Request": "true", "HX-Target": "cost"},
    )
    assert part.content.decode().lstrip().startswith('<section class="card" id="cost"')
    for odd in ("-1", "x", "9" * 40, ""):
        assert 'value="1000"' in page_of(template, bob, f"?calls={odd}")
    own = marketplace.find_offer(viewer=alice, slug=template.slug)
    hers = marketplace.cost_of_calls(version=version, calls=10, standing=own.standing)
    assert (hers.once_microcredits, hers.month_microcredits) == (0, 1_000)


def test_an_older_version_keeps_its_page_and_says_which_is_on_offer(template, bob):
    another_version(template, number=2)
    for address in ("versions/1/", "?version=1"):
        page = page_of(template, bob, address)
        assert "You are looking at version 1. On offer is <a" in page
        assert "15 <small>credits, once</small>" in page
    current = page_of(template, bob)
    assert "You are looking at" not in current
    assert "20 <small>credits, once</small>" in current
    assert "Reads sevens better." in current
    page_of(template, bob, "versions/3/", status=404)
    page_of(template, bob, "versions/0/", status=404)
    page_of(template, bob, "versions/99999999999999999999/", status=404)


def test_bob_pays_for_the_version_that_he_saw_or_not_at_all(template, bob):
    client = Client()
    client.force_login(bob)
    address = reverse("marketplace:buy", args=[template.slug])
    another_version(template, number=2)
    had = billing.available_microcredits(bob)
    for seen, said in (
        ({"version": 1}, "is now on offer in version 2, for 20 credits. Nothing was charged"),
        ({}, "version: is not said"),
    ):
        assert said in html.unescape(client.post(address, seen, follow=True).content.decode())
    assert billing.available_microcredits(bob) == had
    old = page_of(template, bob, "versions/1/")
    assert address not in old
    assert "Version 2 is on offer" in old
    assert address in page_of(template, bob)
    client.post(address, {"version": 2})
    assert billing.available_microcredits(bob) == had - 20_000_000
    client.post(reverse("marketplace:deploy", args=[template.slug]), {"version": 1})
    assert Deployment.objects.get().version.number == 1  # as the button on its page says


def test_a_version_that_was_never_public_is_its_authors_alone(template, alice, bob):
    TemplateVersion.objects.create(
        template=template, number=2, model=template.shown.model, changelog="A secret plan."
    )
    page_of(template, bob, "versions/2/", status=404)
    assert "A secret plan." not in page_of(template, bob)
    assert "A secret plan." in page_of(template, alice)
    assert "Draft" in page_of(template, alice, "versions/2/")


def test_a_deprecated_version_says_why_and_what_to_take(template, bob):
    another_version(template, number=2)
    end(template.versions.get(number=1), Status.DEPRECATED, "It confuses 4 and 9.")
    page = page_of(template, bob, "versions/1/")
    assert "advises against version 1: It confuses 4 and 9." in page
    assert ">version 2</a>" in page


def test_a_withdrawn_version_leaves_a_tombstone_with_its_successor(template, alice, bob):
    marketplace.buy_template(buyer=bob, template=template)
    another_version(template, number=2)
    first = template.versions.get(number=1)
    end(first, Status.WITHDRAWN, "Its rows were mislabelled.")
    first.refresh_from_db()
    assert first.ended_at is not None
    page = page_of(template, address="versions/1/", status=410)
    for said in (
        "Version 1 of “Digit reader” was withdrawn",
        "Its rows were mislabelled.",
        "By its author",
        f"{first.ended_at:%-d %B %Y}",
        ">version 2</a>",
    ):
        assert said in page, said
    assert "Confusion matrix" not in page
    assert "Version 1 was withdrawn" in page_of(template, bob, "versions/1/")  # it stays his
    assert "Version 1 was withdrawn" in page_of(template, alice, "versions/1/")
    assert "was withdrawn" not in page_of(template).split('id="versions"')[0]


def test_what_its_author_withdrew_says_so_to_all_but_those_who_have_it(template, alice, bob):
    marketplace.buy_template(buyer=bob, template=template)
    Template.objects.filter(pk=template.pk).update(withdrawn_at=Now(), withdrawn_reason="I retire.")
    page = page_of(template, status=410)
    for said in ("“Digit reader” was withdrawn", "I retire.", "By its author", "keeps it"):
        assert said in page, said
    assert "You have it, so it stays yours" in page_of(template, bob)
    assert "You withdrew this template" in page_of(template, alice)


def test_a_list_shows_a_person_just_what_they_may_open(template, alice, bob, mallory, judy):
    marketplace.buy_template(buyer=bob, template=template)
    people = (alice, bob, mallory, None)

    def opened() -> list[bool]:
        offers = [marketplace.find_offer(viewer=one, slug=template.slug) for one in people]
        listed = [template in Template.objects.visible_to(one) for one in people]
        assert listed == [not one.is_closed for one in offers]
        return listed

    assert opened() == [True] * 4
    marketplace.withdraw_template(actor=alice, template=template, reason="I retire.")
    assert opened() == [True, True, False, False]
    governance.hide(actor=judy, subject=template, reason="Copied.")
    assert opened() == [True, False, False, False]


def test_what_a_moderator_removed_says_why_also_to_those_who_bought_it(template, alice, bob, judy):
    marketplace.buy_template(buyer=bob, template=template)
    governance.hide(actor=judy, subject=template, reason="It <i>copies</i> another's work.")
    for visitor in (None, bob):
        page = page_of(template, visitor, status=410)
        assert "“Digit reader” was removed" in page
        assert "By a moderator" in page
        assert "keeps it" not in page
    raw = Client().get(template.get_absolute_url()).content.decode()
    assert "<i>copies" not in raw
    assert "only you see it" in page_of(template, alice)
    governance.restore(actor=judy, subject=template)
    page_of(template, bob)


def test_what_never_was_public_is_not_found(alice, bob, judy, model):
    waiting = marketplace.publish_template(
        owner=alice, model=model, name="W", description="d", category="vision", plan="free"
    )
    governance.hide(actor=judy, subject=waiting, reason="Spam.")
    for address in ("", "versions/1/", "?version=1"):
        page_of(waiting, bob, address, status=404)
        page_of(waiting, address=address, status=404)


def test_similar_templates_are_of_the_same_data_first_and_never_itself(template, alice, judy, bob):
    def offer(name, category):
        made = marketplace.publish_template(
            owner=alice,
            model=template.shown.model,
            name=name,
            description="d",
            category=category,
            plan="free",
        )
        return marketplace.approve_template(actor=judy, template=made)

    alike, other = offer("Alike", "vision"), offer("Unlike", "nlp")
    found = marketplace.similar_templates(
        offer=marketplace.find_offer(viewer=bob, slug=template.slug)
    )
    assert found == [alike]
    assert "More in Vision" in page_of(template, bob)  # and who scrolls down to it asks
    asked = {"HX-Request": "true", "HX-Target": "similar"}
    part = Client().get(template.get_absolute_url(), headers=asked).content.decode()
    assert alike.name in part
    assert other.name not in part


def test_a_person_counts_once_a_day_and_the_author_not_at_all(template, alice, bob):
    carol = person("carol")
    row = [0] * 64
    for user in (alice, bob, bob, carol):
        if user != alice and not user.purchases.exists():
            marketplace.buy_template(buyer=user, template=template)
        deployment = marketplace.deploy_template(owner=user, template=template)
        marketplace.predict(user=user, deployment=deployment, rows=row, event_id=uuid.uuid4())
        if user == alice:
            assert "Nobody has called it" in page_of(template, bob)
            cache.clear()
    assert "People a day" in page_of(template, bob)
    called = marketplace.usage_by_day(template=template)["called it"]
    assert len(called) == 30
    assert called[-1] == (0, 2)
    assert sum(people for _, people in called) == 2


def test_the_page_asks_the_database_the_same_for_much_as_for_little(
    template, bob, django_assert_max_num_queries
):
    client = Client()
    client.force_login(bob)
    client.get(template.get_absolute_url())  # which writes down the session, and counts a month
    for user in (bob, person("carol"), person("dave")):
        marketplace.buy_template(buyer=user, template=template)
        marketplace.review_template(reviewer=user, template=template, rating=5, text="Good.")
        marketplace.start_thread(
            author=user, template=template, title="Which?", text="?", kind=Thread.Kind.QUESTION
        )
    for number in range(2, 6):
        another_version(template, number=number)
    with django_assert_max_num_queries(12):
        assert "Change your review" in client.get(template.get_absolute_url()).content.decode()

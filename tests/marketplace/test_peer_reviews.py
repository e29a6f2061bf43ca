"""Peer review: who may say what of whose version, when, and who reads it."""

import html
import re
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from billing import services as billing
from governance import services as governance
from governance.models import Notice, NoticeType, Role, User
from governance.services import NotAllowed, Refusal
from marketplace import services as marketplace
from marketplace.models import PeerReview, Plan, Template, TemplateVersion
from marketplace.models.peer_reviews import Check
from tests.conftest import CARD, SMALL, found_once, person
from training import services as training
from training.models import Category, Dataset, Model, Tier, Validation
from training.runner import chunks, leases, queue, reproductions, validations

pytestmark = pytest.mark.usefixtures("shared_training")

Status = TemplateVersion.Status
YES = {check.value: "yes" for check in Check}


def reviewer_named(name: str) -> User:
    user = person(name)
    governance.grant_role(actor=None, user=user, role=Role.REVIEWER)
    return user


@pytest.fixture
def rita(db) -> User:
    """Reviews."""
    return reviewer_named("rita")


@pytest.fixture
def waiting(alice, rita, model) -> TemplateVersion:
    return publish(alice, model).newest


def publish(owner, model, name="Digit reader") -> Template:
    return marketplace.publish_template(
        owner=owner,
        model=model,
        name=name,
        description="Reads digits.",
        category=Category.VISION,
        plan=Plan.FREE,
    )


def model_of(owner, digits) -> Model:
    """A small model of somebody's, measured and described."""
    training.submit_job(owner=owner, dataset=digits, config=SMALL, tier=Tier.NANO, seed=1)
    chunks.run_turn()
    model = Model.objects.get(owner=owner)
    measure = partial(validations.measure, collecting=found_once)
    leases.do(Validation, str(model.validations.get().pk), measure)
    training.document_model(actor=owner, model=model, **CARD)
    return model


def review(
    reviewer, version, recommendation="approve", text="I asked it ten digits."
) -> PeerReview:
    return marketplace.review_version(
        reviewer=reviewer,
        version=version,
        recommendation=recommendation,
        answers=YES,
        text=text,
    )


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def told(user, type) -> list[str]:
    return list(Notice.objects.of(user).filter(type=type).values_list("text", flat=True))


# Who may


def test_the_first_review_takes_it_up_and_the_author_is_told_so_but_not_what(alice, rita, waiting):
    review(rita, waiting, text="A secret until it is decided.")
    waiting.refresh_from_db()
    assert waiting.status == Status.IN_REVIEW
    [said] = told(alice, NoticeType.TEMPLATE_REVIEWED_BY_PEER)
    assert "secret" not in said
    versions = reverse("marketplace:versions", args=[waiting.template.slug])
    assert "A secret" not in text(client_of(alice).get(versions))


def test_a_moderators_claim_takes_it_up_too_and_another_may_take_over(judy, waiting):
    claimed = marketplace.claim_version(actor=judy, version=waiting)
    assert (claimed.status, claimed.claimed_by) == (Status.IN_REVIEW, judy)
    with pytest.raises(Refusal, match="is yours already"):
        marketplace.claim_version(actor=judy, version=waiting)
    other = person("oscar")
    governance.grant_role(actor=None, user=other, role=Role.MODERATOR)
    assert marketplace.claim_version(actor=other, version=waiting).claimed_by == other


def test_members_without_a_role_review_once_they_published_enough(bob, waiting):
    with pytest.raises(marketplace.NotQualified, match="has published 3 templates"):
        review(bob, waiting)
    for number in range(marketplace.QUALIFYING_TEMPLATES):
        made = Template.objects.create(
            owner=bob,
            slug=f"b{number}",
            name="b",
            category="vision",
            published_at="2026-01-01T00:00:00Z",
        )
    assert marketplace.is_qualified(bob)
    Template.objects.filter(pk=made.pk).update(hidden_at="2026-02-01T00:00:00Z")
    assert not marketplace.is_qualified(bob)  # what was taken away does not count


def test_nobody_reviews_their_own_nor_the_work_of_who_reviews_theirs(
    alice, rita, waiting, digits, judy
):
    governance.grant_role(actor=None, user=alice, role=Role.REVIEWER)
    with pytest.raises(marketplace.NotQualified, match="your own"):
        review(alice, waiting)
    hers = publish(rita, model_of(rita, digits), "Rita's reader").newest
    review(rita, waiting)
    with pytest.raises(marketplace.NotQualified, match="mutual"):
        review(alice, hers)
    marketplace.approve_template(actor=judy, template=waiting.template)
    review(alice, hers)  # once hers is decided, that is over


def test_what_does_not_wait_is_not_reviewed(rita, judy, waiting):
    marketplace.approve_template(actor=judy, template=waiting.template)
    with pytest.raises(Refusal, match="is published"):
        review(rita, waiting)


# What they say


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"recommendation": "maybe"}, "^recommendation: 'maybe' is none of approve"),
        ({"text": "  "}, "^text: is empty"),
        ({"text": "x" * 5_001}, "^text: has 5,001"),
        ({"answers": YES | {"smell": "yes"}}, "^answers: 'smell' is none of"),
        ({"answers": YES | {"works": "perhaps"}}, "^works: 'perhaps' is none of yes, no, unsure"),
        ({"answers": {"works": "yes"}}, "^words: is not answered"),
    ],
)
def test_a_review_says_everything_that_is_asked(rita, waiting, said, fault):
    whole = {"recommendation": "approve", "answers": YES, "text": "Fine."}
    with pytest.raises(marketplace.InvalidPeerReview, match=fault):
        marketplace.review_version(reviewer=rita, version=waiting, **(whole | said))


def test_a_second_word_of_one_person_changes_the_first(rita, waiting):
    review(rita, waiting)
    review(rita, waiting, "reject", "It fails on sevens.")
    assert PeerReview.objects.get().recommendation == "reject"
    with pytest.raises(IntegrityError, match="one_review_per_peer"), transaction.atomic():
        PeerReview.objects.create(
            version=waiting,
            reviewer=rita,
            submitted_at=waiting.submitted_at,
            answers=YES,
            recommendation="approve",
            text="Twice.",
        )


def test_a_review_is_of_what_was_submitted_and_not_of_what_came_later(alice, rita, waiting):
    review(rita, waiting)
    marketplace.recall_version(actor=alice, version=waiting)
    versions = reverse("marketplace:versions", args=[waiting.template.slug])
    assert "ten digits" not in text(client_of(alice).get(versions))  # recalling tells nothing
    marketplace.submit_version(actor=alice, version=waiting)
    assert PeerReview.objects.current().count() == 0
    assert marketplace.reviewable(rita).get().reviews == 0
    review(rita, waiting)
    assert PeerReview.objects.current().count() == 1


def test_the_author_reads_what_reviewers_said_once_it_is_decided(alice, rita, judy, waiting):
    review(rita, waiting, "changes", "Say where it fails.")
    marketplace.request_changes(actor=judy, template=waiting.template, note="As rita says.")
    page = text(client_of(alice).get(reverse("marketplace:versions", args=["digit-reader"])))
    assert "Say where it fails." in page
    assert "As rita says." in page


# Pages


def test_rita_finds_reviews_and_changes_it_by_forms_alone(rita, waiting):
    hers = client_of(rita)
    address = reverse("marketplace:peer_review", args=[waiting.template.slug, 1])
    queue = text(hers.get("/reviews/"))
    assert f'href="{address}"' in queue
    assert "0 of 2" in queue
    page = text(hers.get(address))
    assert "Reads digits." in page
    assert "Confusion matrix" in page
    assert "This field is required." in text(hers.post(address, YES | {"text": "Fine."}))
    said = YES | {"recommendation": "approve", "text": "It reads what I drew."}
    assert hers.post(address, said).url == "/reviews/"
    assert "1 of 2" in text(hers.get("/reviews/"))
    assert "It reads what I drew." in text(hers.get(address))


def test_rita_asks_a_version_that_waits_for_free(rita, waiting, digits):
    hers = client_of(rita)
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    address = reverse("marketplace:peer_try", args=[waiting.template.slug, 1])
    assert "Free for who reviews it." in text(hers.get(address))
    before = billing.available_microcredits(rita)
    assert f"<b>{row.label}</b>" in text(hers.post(address, {"row": row.number}))
    assert billing.available_microcredits(rita) == before


def test_the_queue_says_who_may_not_review_what_and_why(alice, bob, rita, waiting):
    assert "You have published 0." in text(client_of(bob).get("/reviews/"))
    governance.grant_role(actor=None, user=alice, role=Role.REVIEWER)
    page = text(client_of(alice).get("/reviews/"))
    assert "your own" in page
    assert "/review/" not in page


def test_who_may_not_review_finds_no_such_page(client, bob, rita, judy, waiting):
    pages = ("peer_review", "peer_try", "reproductions")
    addresses = [reverse(f"marketplace:{page}", args=["digit-reader", 1]) for page in pages]
    for address in addresses:
        assert client_of(bob).get(address).status_code == 404
        assert client.get(address).status_code == 302
        assert client_of(rita).get(address).status_code == 200
    marketplace.approve_template(actor=judy, template=waiting.template)
    for address in addresses:
        assert client_of(rita).get(address).status_code == 404


def test_the_queue_asks_the_same_for_many_as_for_one(
    alice, rita, model, waiting, django_assert_max_num_queries
):
    for number in range(4):
        publish(alice, model, f"Reader {number}")
    hers = client_of(rita)
    hers.get("/reviews/")
    with django_assert_max_num_queries(12):
        hers.get("/reviews/")


# Running it again


def test_rita_has_it_trained_again_for_her_credits_and_gets_the_answer_alone(
    alice, rita, waiting, digits
):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice)  # as if alice had brought them
    before = {user: billing.available_microcredits(user) for user in (alice, rita)}
    address = reverse("marketplace:reproductions", args=[waiting.template.slug, 1])
    hers = client_of(rita)
    assert "Reproduce for at most" in text(hers.get(address))
    assert hers.post(f"{address}new/").url == address
    assert 'hx-trigger="every 2s"' in text(hers.get(address, headers={"HX-Request": "true"}))
    run = waiting.model.reproductions.get()
    assert (run.owner, run.job.owner) == (rita, alice)
    chunks.run_turn()
    reproductions.compare_reproduction(str(run.pk))
    assert "identical" in text(hers.get(address))
    assert billing.available_microcredits(rita) < before[rita]
    assert billing.available_microcredits(alice) == before[alice]
    for page in (run.job, waiting.model, digits):
        assert hers.get(page.get_absolute_url()).status_code == 404
    with pytest.raises(training.UnknownJob):
        training.find_beginning(owner=rita, job_id=run.job_id, step=run.job.steps_done)
    assert review(rita, waiting).reproduction == run
    assert billing.ledger_faults() == []


def test_what_others_have_made_again_takes_no_place_of_the_owners(alice, rita, waiting):
    before = training.rooms_of(alice.pk)[training.Load.JOBS].used
    told = Notice.objects.of(alice).count()
    run = marketplace.reproduce_version(actor=rita, version=waiting)
    assert training.rooms_of(alice.pk)[training.Load.JOBS].used == before
    assert training.rooms_of(rita.pk)[training.Load.REPRODUCTIONS].used == 1
    job = chunks.claim(str(run.job_id))
    assert queue.running({alice.pk, rita.pk}) == {rita.pk: 1}
    chunks.give_up(job, code="non_finite", message="The loss grew endless.")
    assert Notice.objects.of(alice).count() == told


def test_two_who_ask_at_once_share_one_run(judy, rita, waiting):
    first = marketplace.reproduce_version(actor=rita, version=waiting)
    assert marketplace.reproduce_version(actor=judy, version=waiting) == first


def test_who_bought_it_may_have_it_made_again_and_a_stranger_may_not(bob, mallory, template):
    with pytest.raises(NotAllowed, match="Who has a template"):
        marketplace.reproduce_version(actor=mallory, version=template.current)
    marketplace.buy_template(buyer=bob, template=template)
    run = marketplace.reproduce_version(actor=bob, version=template.current)
    assert run.owner == bob


def test_a_run_that_its_payer_cannot_pay_is_refused_and_none_begins(bob, template):
    marketplace.buy_template(buyer=bob, template=template)
    everything = billing.available_microcredits(bob)
    billing.hold(owner=bob, amount_microcredits=everything, key="elsewhere", reason="elsewhere")
    with pytest.raises(billing.InsufficientCredits):
        marketplace.reproduce_version(actor=bob, version=template.current)
    assert not template.current.model.reproductions.exists()


# The desk


def test_judy_decides_on_one_page_with_all_that_speaks_for_it(judy, rita, waiting):
    review(rita, waiting, "approve", "It reads what I drew.")
    desk = client_of(judy)
    queue = text(desk.get(reverse("admin:marketplace_templateversion_changelist")))
    assert "1 of 2" in queue
    assert "Digit reader, version 1" in queue
    page = text(desk.get(reverse("admin:marketplace_templateversion_change", args=[waiting.pk])))
    for said in ("It reads what I drew.", "Reads digits.", waiting.validation.receipt["seed"]):
        assert str(said) in page
    for action, note in (("claim", ""), ("approve", "Well measured.")):
        address = dialog_of(page, action)
        assert desk.post(address, {"_form_submitted": "on", "note": note})["HX-Redirect"]
    waiting.refresh_from_db()
    assert (waiting.status, waiting.claimed_by) == (Status.PUBLISHED, None)
    assert not marketplace.reviewable(judy).exists()


def dialog_of(page: str, action: str) -> str:
    return html.unescape(re.search(rf'hx-get="([^"]*/{action}/[^"]*)"', page)[1])


def test_judy_decides_on_what_she_saw_or_not_at_all(judy, alice, waiting):
    desk = client_of(judy)
    page = text(desk.get(reverse("admin:marketplace_templateversion_change", args=[waiting.pk])))
    marketplace.recall_version(actor=alice, version=waiting)
    marketplace.submit_version(actor=alice, version=waiting)
    desk.post(dialog_of(page, "approve"), {"_form_submitted": "on", "note": ""})
    waiting.refresh_from_db()
    assert waiting.status == Status.SUBMITTED
    queue = text(desk.get(reverse("admin:marketplace_templateversion_changelist")))
    assert "was submitted anew since you opened its page" in queue
    governance.hide(actor=judy, subject=waiting.template, reason="Copied.")
    with pytest.raises(NotAllowed, match="restore it first"):
        marketplace.approve_template(actor=judy, template=waiting.template)


def test_judy_sees_what_changed_against_what_is_published(judy, alice, template):
    version = marketplace.start_version(
        owner=alice, template=template, model=template.shown.model, changelog="Cheaper."
    )
    marketplace.describe_version(
        actor=alice,
        version=version,
        name="Digit reader",
        summary="Now with a summary.",
        description="Reads **digits** well.",
        category=Category.VISION,
    )
    marketplace.price_version(
        actor=alice,
        version=version,
        plan=Plan.STANDARD,
        price_microcredits=5_000_000,
        call_price_microcredits=1_000,
    )
    version = marketplace.submit_version(actor=alice, version=version)
    found = {one.label: one for one in marketplace.changes_of(version=version)}
    assert {label for label, one in found.items() if one.differs} == {
        "Summary",
        "Description",
        "Once, credits",
    }
    assert (found["Once, credits"].before, found["Once, credits"].after) == ("15", "5")
    assert ("+", "Reads **digits** well.") in found["Description"].lines
    page = text(
        client_of(judy).get(reverse("admin:marketplace_templateversion_change", args=[version.pk]))
    )
    assert "Once, credits (changed)" in page


def test_moderators_and_reviewers_are_told_that_something_waits(judy, rita, alice, waiting):
    publish(alice, waiting.model, "Another")
    for user in (judy, rita):
        assert "“Another” waits for review." in told(user, NoticeType.TEMPLATE_SUBMITTED)
    assert told(alice, NoticeType.TEMPLATE_SUBMITTED) == []

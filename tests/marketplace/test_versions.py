"""Versions: what may change in which state, and which steps the database takes."""

import time
from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import Notice
from governance.services import NotAllowed, Refusal
from marketplace import services as marketplace
from marketplace.models import Plan, Template, TemplateVersion, Thread
from tests.conftest import SMALL
from tests.marketplace.versions import sibling
from training import services as training
from training.models import Category, Model, Tier
from training.runner import chunks

pytestmark = pytest.mark.usefixtures("shared_training")

Status = TemplateVersion.Status
STEPS = {
    Status.DRAFT: {Status.SUBMITTED},
    Status.SUBMITTED: {
        Status.DRAFT,
        Status.IN_REVIEW,
        Status.CHANGES_REQUESTED,
        Status.APPROVED,
        Status.REJECTED,
    },
    Status.IN_REVIEW: {
        Status.DRAFT,
        Status.CHANGES_REQUESTED,
        Status.APPROVED,
        Status.REJECTED,
    },
    Status.CHANGES_REQUESTED: {Status.SUBMITTED},
    Status.APPROVED: {Status.PUBLISHED, Status.WITHDRAWN},
    Status.PUBLISHED: {Status.DEPRECATED, Status.WITHDRAWN},
    Status.DEPRECATED: {Status.PUBLISHED, Status.WITHDRAWN},
}
TERMS = {
    "price_microcredits": 1,
    "call_price_microcredits": 1,
    "monthly_calls": 1,
    "number": 9,
    "words": {"name": "x"},
    "files": [],
    "examples": [1],
}


@pytest.fixture
def draft(alice, model) -> TemplateVersion:
    return marketplace.start_template(owner=alice, model=model, name="Digit reader").newest


@pytest.fixture
def waiting(alice, model) -> Template:
    return marketplace.publish_template(
        owner=alice,
        model=model,
        name="Digit reader",
        description="Reads digits.",
        category=Category.VISION,
        plan=Plan.FREE,
    )


def put(version: TemplateVersion, status: Status) -> None:
    """Make a row in a state without the steps to it, which an INSERT may."""
    TemplateVersion.objects.filter(pk=version.pk)._raw_delete("default")
    version.status = status
    version.validation = version.model.validations.done()[0]
    version.submitted_at = version.published_at = Now()
    version.save(force_insert=True)


def test_the_database_takes_just_the_steps_that_are_drawn(draft):
    for old, new in product(Status, Status):
        with transaction.atomic():
            put(draft, old)
            rows = TemplateVersion.objects.filter(pk=draft.pk)
            if old == new or new in STEPS.get(old, set()):
                assert rows.update(status=new) == 1
            else:
                with pytest.raises(IntegrityError, match="no step"), transaction.atomic():
                    rows.update(status=new)
            transaction.set_rollback(True)


@pytest.mark.parametrize("status", Status)
def test_terms_change_only_while_it_can_be_edited(draft, status):
    with transaction.atomic():
        draft.plan = Plan.STANDARD
        put(draft, status)
        rows = TemplateVersion.objects.filter(pk=draft.pk)
        for field, value in TERMS.items():
            if status in TemplateVersion.EDITABLE:
                assert rows.update(**{field: value}) == 1
            else:
                with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
                    rows.update(**{field: value})
        if status != Status.DRAFT:
            with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
                rows._raw_delete("default")
        transaction.set_rollback(True)


def test_alice_saves_her_draft_step_by_step_and_submits_it(alice, judy, bob, draft):
    template = draft.template
    assert template.state == "draft"
    assert Template.objects.visible_to(bob).count() == 0
    with pytest.raises(marketplace.InvalidTemplate, match="description"):
        marketplace.submit_version(actor=alice, version=draft)
    marketplace.describe_template(
        actor=alice,
        template=template,
        name="Reader",
        summary="Reads.",
        description="Reads digits.",
        category=Category.VISION,
    )
    marketplace.price_version(
        actor=alice,
        version=draft,
        plan=Plan.PREMIUM,
        price_microcredits=5_000_000,
        call_price_microcredits=2_000,
        monthly_calls=100,
    )
    submitted = marketplace.submit_version(actor=alice, version=draft)
    assert submitted.validation == draft.model.validations.get()
    with pytest.raises(marketplace.NotEditable, match="recall it"):
        marketplace.submit_version(actor=alice, version=draft)
    template = marketplace.approve_template(actor=judy, template=template)
    assert (template.state, template.current) == ("published", draft)
    assert list(Template.objects.visible_to(bob)) == [template]


def test_alice_mends_what_judy_asked_for_and_submits_again(alice, judy, waiting):
    template = marketplace.request_changes(actor=judy, template=waiting, note="Say where it fails.")
    assert (template.state, template.newest.review_note) == (
        "changes_requested",
        "Say where it fails.",
    )
    marketplace.submit_version(actor=alice, version=template.newest)
    assert marketplace.approve_template(actor=judy, template=template).is_public


def test_mallory_changes_nothing_of_alices(mallory, draft):
    for act in (
        lambda: marketplace.submit_version(actor=mallory, version=draft),
        lambda: marketplace.price_version(
            actor=mallory,
            version=draft,
            plan=Plan.FREE,
            price_microcredits=0,
            call_price_microcredits=0,
        ),
    ):
        with pytest.raises(NotAllowed, match="author"):
            act()


# A template's further versions


@pytest.fixture
def second(alice, template) -> TemplateVersion:
    """The draft of version 2 of alice's published template, with the same model."""
    return marketplace.start_version(
        owner=alice, template=template, model=template.shown.model, changelog="Cheaper."
    )


def approved(judy, alice, version: TemplateVersion) -> Template:
    marketplace.submit_version(actor=alice, version=version)
    return marketplace.approve_template(actor=judy, template=version.template)


def describe(alice, version: TemplateVersion, **said: str) -> TemplateVersion:
    words = {"name": "Reader", "summary": "", "description": "New.", "category": Category.VISION}
    return marketplace.describe_version(actor=alice, version=version, **(words | said))


def test_a_new_version_begins_as_the_one_before_and_may_cost_something_else(alice, judy, second):
    first = second.template.current
    assert (second.number, second.price_microcredits) == (2, first.price_microcredits)
    assert second.words == first.words
    marketplace.price_version(
        actor=alice,
        version=second,
        plan=Plan.STANDARD,
        price_microcredits=5_000_000,
        call_price_microcredits=1_000,
    )
    assert Template.objects.get(pk=second.template_id).current == first
    template = approved(judy, alice, second)
    assert (template.current, template.current.price_microcredits) == (second, 5_000_000)
    first.refresh_from_db()
    assert (first.status, first.price_microcredits) == (Status.PUBLISHED, 15_000_000)


def test_a_template_has_one_version_on_the_way(alice, template, second):
    with pytest.raises(marketplace.OpenVersion, match="Version 2 is draft"):
        marketplace.start_version(owner=alice, template=template, model=second.model)


def test_what_a_draft_says_is_on_the_page_only_once_it_is_published(alice, judy, second):
    describe(alice, second)
    template = Template.objects.get(pk=second.template_id)
    assert (template.name, template.description) == ("Digit reader", "Reads **digits**.")
    template = approved(judy, alice, second)
    assert (template.name, template.description) == ("Reader", "New.")


def test_a_first_draft_says_it_at_once_since_only_its_author_sees_it(alice, draft):
    describe(alice, draft)
    assert Template.objects.get(pk=draft.template_id).description == "New."


def test_a_further_version_says_what_is_new(alice, template):
    version = marketplace.start_version(owner=alice, template=template, model=template.shown.model)
    with pytest.raises(marketplace.InvalidTemplate, match="^changelog: is empty"):
        marketplace.submit_version(actor=alice, version=version)
    version = marketplace.schedule_version(
        actor=alice, version=version, changelog="Faster.", publishes_at_once=True
    )
    assert marketplace.submit_version(actor=alice, version=version).changelog == "Faster."


def test_a_submission_can_be_recalled_mended_and_sent_again(alice, judy, waiting):
    version = marketplace.recall_version(actor=alice, version=waiting.newest)
    assert version.status == Status.DRAFT
    with pytest.raises(Refusal, match="not waiting"):
        marketplace.approve_template(actor=judy, template=waiting)
    describe(alice, version)
    assert approved(judy, alice, version).description == "New."
    with pytest.raises(Refusal, match="is published; to recall it, it must be"):
        marketplace.recall_version(actor=alice, version=version)


def test_an_author_may_publish_an_approved_version_when_she_likes(alice, judy, bob, second):
    marketplace.schedule_version(
        actor=alice, version=second, changelog="Later.", publishes_at_once=False
    )
    template = approved(judy, alice, second)
    second.refresh_from_db()
    assert (template.current.number, second.status) == (1, Status.APPROVED)
    with pytest.raises(NotAllowed, match="author"):
        marketplace.publish_version(actor=bob, version=second)
    assert marketplace.publish_version(actor=alice, version=second).current == second
    with pytest.raises(Refusal, match="must be approved"):
        marketplace.publish_version(actor=alice, version=second)


def test_what_was_approved_and_withdrawn_unpublished_stays_its_authors(client, alice, judy, second):
    marketplace.schedule_version(
        actor=alice, version=second, changelog="A secret plan.", publishes_at_once=False
    )
    template = approved(judy, alice, second)
    marketplace.withdraw_version(actor=alice, version=second, reason="I thought again.")
    assert [one.number for one in template.versions.published()] == [1]
    page = client.get(reverse("marketplace:versions", args=[template.slug])).content.decode()
    assert "secret" not in page


def test_a_deprecated_version_gives_way_to_the_one_before_and_comes_back(alice, judy, second):
    template = approved(judy, alice, second)
    first = template.versions.get(number=1)
    template = marketplace.deprecate_version(
        actor=alice, version=second, reason="It confuses 4 and 9."
    )
    assert (template.current, template.is_public) == (first, True)
    second.refresh_from_db()
    assert second.ended_reason == "It confuses 4 and 9."
    template = marketplace.revive_version(actor=alice, version=second)
    assert template.current == second
    second.refresh_from_db()
    assert second.ended_reason == ""


def test_the_only_version_stays_on_offer_with_its_warning_when_deprecated(alice, template):
    template = marketplace.deprecate_version(
        actor=alice, version=template.current, reason="Another reads better."
    )
    assert (template.state, template.is_public) == (Status.DEPRECATED, True)


def test_with_its_last_version_a_template_is_withdrawn_but_who_has_it_keeps_it(
    alice, bob, mallory, template
):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    template = marketplace.withdraw_version(
        actor=alice, version=template.current, reason="The data were not mine."
    )
    assert (template.state, template.is_public) == ("withdrawn", False)
    assert template.withdrawn_reason == "The data were not mine."
    with pytest.raises(Refusal, match="not on offer"):
        marketplace.buy_template(buyer=mallory, template=template)
    deployment.refresh_from_db()
    assert not deployment.is_over
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    assert marketplace.deploy_template(owner=bob, template=template).version == template.current
    assert "The data were not mine." in Notice.objects.of(bob).latest("at").text


def test_of_two_versions_the_other_is_on_offer_when_one_is_withdrawn(alice, judy, second):
    template = approved(judy, alice, second)
    template = marketplace.withdraw_version(actor=alice, version=second, reason="Wrong data.")
    assert (template.current.number, template.is_public) == (1, True)
    with pytest.raises(Refusal, match="is withdrawn; to revive it"):
        marketplace.revive_version(actor=alice, version=second)


def test_a_whole_template_is_withdrawn_and_a_further_version_brings_it_back(alice, judy, second):
    marketplace.submit_version(actor=alice, version=second)
    template = marketplace.withdraw_template(
        actor=alice, template=second.template, reason="I am rewriting it."
    )
    assert not template.is_public
    assert [one.status for one in template.versions.all()] == [Status.DRAFT, Status.WITHDRAWN]
    with pytest.raises(Refusal, match="withdrawn already"):
        marketplace.withdraw_template(actor=alice, template=template, reason="Again.")
    template = approved(judy, alice, second)
    assert (template.is_public, template.withdrawn_reason) == (True, "")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_who_ends_a_version_says_why(alice, template, reason):
    for act in (marketplace.deprecate_version, marketplace.withdraw_version):
        with pytest.raises(marketplace.InvalidTemplate, match="^reason: "):
            act(actor=alice, version=template.current, reason=reason)


def test_a_draft_that_nobody_saw_can_be_thrown_away_and_what_was_submitted_stays(
    alice, mallory, draft, second
):
    with pytest.raises(NotAllowed, match="author"):
        marketplace.discard_version(actor=mallory, version=draft)
    marketplace.discard_version(actor=alice, version=draft)
    assert not Template.objects.filter(pk=draft.template_id).exists()
    marketplace.submit_version(actor=alice, version=second)
    recalled = marketplace.recall_version(actor=alice, version=second)
    with pytest.raises(marketplace.NotEditable, match="was submitted before"):
        marketplace.discard_version(actor=alice, version=recalled)


def test_a_draft_stays_while_something_stands_on_it(alice, draft):
    thread = Thread.objects.create(template=draft.template, author=alice, title="Why?")
    collection = marketplace.make_collection(owner=alice, name="Mine")
    marketplace.collect_template(actor=alice, collection=collection, template=draft.template)
    with pytest.raises(
        marketplace.NotEditable, match="is discussed.*; it is in a collection; take it out"
    ):
        marketplace.discard_version(actor=alice, version=draft)
    thread.delete()
    marketplace.deploy_template(owner=alice, template=draft.template)
    with pytest.raises(marketplace.NotEditable, match="thrown away: deployments answer"):
        marketplace.discard_version(actor=alice, version=draft)
    assert draft.template.versions.get() == draft


def test_a_model_with_a_long_name_gives_its_template_the_beginning(alice, draft):
    long = sibling(draft.template, name="n" * 120)
    template = marketplace.start_template(owner=alice, model=long)
    assert template.name == "n" * 80
    with pytest.raises(marketplace.InvalidTemplate, match="^name: has 81 letters; at most 80"):
        describe(alice, template.newest, name="n" * 81)
    with pytest.raises(marketplace.InvalidTemplate, match="^summary: has 161 letters"):
        describe(alice, template.newest, summary="s" * 161)


def test_what_changed_is_told_line_by_line_however_often_lines_repeat():
    was = ["keep", "drop", "stay", "end"]
    now = ["keep", "stay", "come", "end"]
    change = marketplace.Change(label="Text", before="\n".join(was), after="\n".join(now))
    assert change.lines == [
        (" ", "keep"),
        ("-", "drop"),
        (" ", "stay"),
        ("+", "come"),
        (" ", "end"),
    ]
    endless = marketplace.Change(label="Text", before="a\nb\n" * 4_000, after="b\nb\na\n" * 3_000)
    began = time.process_time()
    told = endless.lines
    assert time.process_time() - began < 2
    assert [line for sign, line in told if sign != "+"] == endless.before.splitlines()
    assert [line for sign, line in told if sign != "-"] == endless.after.splitlines()


def test_examples_are_asked_before_they_are_kept(alice, draft, digits):
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    version = marketplace.give_examples(actor=alice, version=draft, examples=[row.values])
    assert version.examples == [row.values]
    with pytest.raises(marketplace.InvalidTemplate, match=r"^examples: number 2: .*64 values"):
        marketplace.give_examples(actor=alice, version=draft, examples=[row.values, [1, 2]])
    with pytest.raises(marketplace.InvalidTemplate, match="at most 6"):
        marketplace.give_examples(actor=alice, version=draft, examples=[row.values] * 7)


def test_a_file_is_offered_once_it_is_made(alice, waiting):
    version = marketplace.recall_version(actor=alice, version=waiting.newest)
    with pytest.raises(marketplace.InvalidTemplate, match="^files: 'exe' is none of"):
        marketplace.offer_files(actor=alice, version=version, files=["exe"])
    version = marketplace.offer_files(actor=alice, version=version, files=["wasm", "safetensors"])
    assert version.files == ["safetensors", "wasm"]
    with pytest.raises(marketplace.InvalidTemplate, match="^files: the WebAssembly file is not"):
        marketplace.submit_version(actor=alice, version=version)


def test_another_model_takes_the_examples_of_the_one_before_with_it(
    alice, bob, draft, digits, model
):
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    marketplace.give_examples(actor=alice, version=draft, examples=[row.values])
    other = another_model(alice, digits)
    version = marketplace.choose_model(actor=alice, version=draft, model=other)
    assert (version.model, version.examples) == (other, [])
    with pytest.raises(marketplace.NotValidated, match="no finished validation"):
        marketplace.describe_version(
            actor=alice,
            version=version,
            name="Reader",
            summary="",
            description="Reads.",
            category=Category.VISION,
        )
        marketplace.submit_version(actor=alice, version=version)


def another_model(owner, digits):
    job = training.submit_job(owner=owner, dataset=digits, config=SMALL, tier=Tier.NANO, seed=2)
    chunks.run_turn()
    return Model.objects.get(job=job)

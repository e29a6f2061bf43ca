"""Versions: what may change in which state, and which steps the database takes."""

from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from governance.services import NotAllowed
from marketplace import services as marketplace
from marketplace.models import Plan, Template, TemplateVersion
from training.models import Category

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
TERMS = {"price_microcredits": 1, "call_price_microcredits": 1, "monthly_calls": 1, "number": 9}


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

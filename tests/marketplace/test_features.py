"""judy puts templates in front, and everybody reads why."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import services as governance
from governance.models import AuditEntry, Role
from marketplace import services as marketplace
from marketplace.models import Feature

pytestmark = pytest.mark.usefixtures("shared_template")

WHY = "It is right where others guess."


@pytest.fixture
def feature(judy, template) -> Feature:
    return marketplace.feature_template(actor=judy, template=template, reason=WHY)


def page(address="/", user=None) -> str:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client.get(address).content.decode()


def test_everybody_reads_what_is_in_front_who_put_it_there_and_why(feature):
    for address in ("/", "/templates/"):
        shown = page(address)
        assert WHY in shown
        assert "judy, " in shown
    for address in ("/templates/?q=reader", "/templates/?q=zebra"):
        assert WHY not in page(address)


def test_what_is_no_longer_on_offer_or_has_not_begun_or_is_over_is_not_in_front(
    judy, template, feature
):
    governance.hide(actor=judy, subject=template, reason="Copied.")
    assert marketplace.featured_now() == []
    template.refresh_from_db()
    governance.restore(actor=judy, subject=template)
    assert [pick.reason for pick in marketplace.featured_now()] == [WHY]
    later = timezone.now() + timedelta(days=1)
    Feature.objects.update(from_at=later)
    assert marketplace.featured_now() == []
    Feature.objects.update(from_at=later - timedelta(days=9), until_at=later - timedelta(days=2))
    assert marketplace.featured_now() == []


def test_they_stand_in_their_order(alice, judy, model, template, feature):
    made = marketplace.publish_template(
        owner=alice, model=model, name="Second", description="d", category="vision", plan="free"
    )
    second = marketplace.approve_template(actor=judy, template=made)
    marketplace.feature_template(actor=judy, template=second, reason="Smaller.", place=1)
    assert [pick.listing.name for pick in marketplace.featured_now()] == ["Digit reader", "Second"]
    marketplace.change_feature(actor=judy, feature=feature, reason="Larger.", place=2)
    assert [pick.reason for pick in marketplace.featured_now()] == ["Smaller.", "Larger."]


def test_a_template_is_in_front_once_at_a_time(judy, template, feature):
    with pytest.raises(marketplace.AlreadyFeatured, match="already"):
        marketplace.feature_template(actor=judy, template=template, reason="Again.")
    marketplace.end_feature(actor=judy, feature=feature)
    marketplace.feature_template(actor=judy, template=template, reason="Again.")
    assert [pick.reason for pick in marketplace.featured_now()] == ["Again."]
    with pytest.raises(marketplace.InvalidFeature, match="over"):
        marketplace.end_feature(actor=judy, feature=feature)
    with pytest.raises(marketplace.InvalidFeature, match="over"):
        marketplace.change_feature(actor=judy, feature=feature, reason="More.", place=0)


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "Two at once."},
        {"reason": " "},
        {"reason": "Backwards.", "until_at": timezone.now() - timedelta(days=1)},
    ],
    ids=["a second at once", "no reason", "over before it begins"],
)
def test_the_database_refuses_what_must_not_be_in_front(judy, template, feature, given):
    with pytest.raises(IntegrityError), transaction.atomic():
        Feature.objects.create(template=template, curated_by=judy, **given)


def test_what_does_not_make_sense_is_refused_by_its_name(judy, template, alice, model):
    later = timezone.now() + timedelta(days=1)
    for given, fault in (
        ({"reason": " "}, "reason: say why"),
        ({"reason": "x" * 201}, "reason: has 201 letters"),
        ({"reason": WHY, "place": -1}, "place: must be from 0"),
        ({"reason": WHY, "from_at": later, "until_at": later}, "until: must be after"),
    ):
        with pytest.raises(marketplace.InvalidFeature, match=fault):
            marketplace.feature_template(actor=judy, template=template, **given)
    draft = marketplace.start_template(owner=alice, model=model, name="Draft")
    with pytest.raises(marketplace.InvalidFeature, match="not on offer"):
        marketplace.feature_template(actor=judy, template=draft, reason=WHY)


def test_neither_members_nor_the_author_put_anything_in_front(alice, mallory, template, feature):
    with pytest.raises(governance.NotAllowed, match="role"):
        marketplace.feature_template(actor=mallory, template=template, reason=WHY)
    governance.grant_role(actor=None, user=alice, role=Role.MODERATOR)
    alice.refresh_from_db()
    with pytest.raises(governance.NotAllowed, match="own template"):
        marketplace.feature_template(actor=alice, template=template, reason=WHY)
    with pytest.raises(governance.NotAllowed, match="own template"):
        marketplace.change_feature(actor=alice, feature=feature, reason="The best.", place=0)


def test_judy_does_it_at_the_desk_and_it_is_written_down(judy, template):
    desk = Client()
    desk.force_login(judy)
    address = reverse("admin:marketplace_template_feature", args=[template.pk])
    assert "Put this template in front?" in desk.get(address).content.decode()
    pressed = {"_form_submitted": "on"}
    desk.post(address, pressed | {"reason": WHY, "place": "3", "until_at": "2099-01-01T12:00"})
    feature = Feature.objects.get()
    assert (feature.place, feature.until_at.year, feature.curated_by) == (3, 2099, judy)
    listed = desk.get(reverse("admin:marketplace_feature_changelist")).content.decode()
    assert WHY in listed
    change = reverse("admin:marketplace_feature_change", args=[feature.pk])
    assert desk.get(change).status_code == 200
    reword, end = (
        reverse(f"admin:marketplace_feature_{act}", args=[feature.pk]) for act in ("reword", "end")
    )
    assert WHY in desk.get(reword).content.decode()  # to begin with
    desk.post(reword, pressed | {"reason": "Better.", "place": "1"})
    assert [pick.reason for pick in marketplace.featured_now()] == ["Better."]
    desk.post(end, pressed)
    verbs = AuditEntry.objects.filter(subject_id=str(feature.pk), actor=judy).order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == [
        "feature_template", "change_feature", "end_feature",
    ]  # fmt: skip
    assert marketplace.featured_now() == []

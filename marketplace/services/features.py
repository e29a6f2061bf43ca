"""What stands in front: curated by moderators, who say why, and never for sale."""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from governance import services as governance
from governance.models import Role, User
from governance.services import NotAllowed, Refusal
from marketplace.models import Feature, FeatureQuerySet, Listing, Template
from marketplace.models.features import FEATURE_REASON_LENGTH_MAX

CURATING_ROLES = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.ADMIN)
SHOWN_MAX = 6
PLACE_MAX = 1_000


class InvalidFeature(Refusal):
    """A template is put in front with a reason, for a time that is not over; the text names what
    is missing.
    """

    status = 422


class AlreadyFeatured(Refusal):
    """A template stands in front once at a time; end that, or begin after it."""


@dataclass(frozen=True)
class Featured:
    """A template in front, as it is shown."""

    listing: Listing
    reason: str
    curator: str
    since: datetime.datetime


def featured_now() -> list[Featured]:
    rows = live_features()
    ids = [row.template_id for row in rows]
    return featured_of(rows, Listing.objects.defer("words", "tokens").in_bulk(ids))


def live_features() -> list[Feature]:
    return list(Feature.objects.live().select_related("curated_by")[:SHOWN_MAX])


def featured_of(rows: list[Feature], listings: Mapping[uuid.UUID, Listing]) -> list[Featured]:
    return [
        Featured(listings[row.template_id], row.reason, row.curated_by.username, row.from_at)
        for row in rows
        if row.template_id in listings
    ]


@transaction.atomic
def feature_template(
    *,
    actor: User,
    template: Template,
    reason: str,
    place: int = 0,
    from_at: datetime.datetime | None = None,
    until_at: datetime.datetime | None = None,
) -> Feature:
    """Put it in front, at once or from a later moment on."""
    governance.require_role(actor, *CURATING_ROLES)
    require_anothers(actor, template)
    if not template.is_public:
        raise InvalidFeature(f"“{template}” is not on offer.")
    now = timezone.now()
    from_at = now if from_at is None else max(from_at, now)
    check(reason=reason, place=place, from_at=from_at, until_at=until_at)
    governance.take_turn(f"features/{template.pk}")
    if at_once(template, from_at, until_at).exists():
        raise AlreadyFeatured(f"“{template}” is in front in that time already.")
    feature = Feature.objects.create(
        template=template,
        reason=reason.strip(),
        place=place,
        from_at=from_at,
        until_at=until_at,
        curated_by=actor,
    )
    note(actor, "feature_template", feature)
    return feature


@transaction.atomic
def change_feature(*, actor: User, feature: Feature, reason: str, place: int) -> Feature:
    """Other words for it, or another place; who says them is who curates it now."""
    governance.require_role(actor, *CURATING_ROLES)
    require_anothers(actor, feature.template)
    check(reason=reason, place=place, from_at=feature.from_at, until_at=None)
    rows = Feature.objects.standing().filter(pk=feature.pk)
    if rows.update(reason=reason.strip(), place=place, curated_by=actor) != 1:
        raise InvalidFeature(f"“{feature}” is over; put the template in front again.")
    feature.refresh_from_db()
    note(actor, "change_feature", feature)
    return feature


@transaction.atomic
def end_feature(*, actor: User, feature: Feature) -> None:
    """No longer in front; one that has not begun never will."""
    governance.require_role(actor, *CURATING_ROLES)
    note(actor, "end_feature", feature)
    rows = Feature.objects.standing().filter(pk=feature.pk)
    if rows.filter(from_at__lt=Now()).update(until_at=Now()) != 1 and not rows.delete()[0]:
        raise InvalidFeature(f"“{feature}” is over already.")


def require_anothers(actor: User, template: Template) -> None:
    """The first place is worth money, and so are the words beside it."""
    if template.owner_id == actor.pk:
        raise NotAllowed("Nobody puts their own template in front; ask another moderator.")


def at_once(
    template: Template, from_at: datetime.datetime, until_at: datetime.datetime | None
) -> FeatureQuerySet:
    """Those of a template that share a moment with this time; the database refuses them, too."""
    rows = Feature.objects.filter(template=template).exclude(until_at__lte=from_at)
    return rows if until_at is None else rows.filter(from_at__lt=until_at)


def check(
    *, reason: str, place: int, from_at: datetime.datetime, until_at: datetime.datetime | None
) -> None:
    if not reason.strip():
        raise InvalidFeature("reason: say why, as everybody reads it.")
    if len(reason.strip()) > FEATURE_REASON_LENGTH_MAX:
        raise InvalidFeature(
            f"reason: has {len(reason.strip())} letters; at most {FEATURE_REASON_LENGTH_MAX}."
        )
    if not 0 <= place <= PLACE_MAX:
        raise InvalidFeature(f"place: must be from 0 to {PLACE_MAX:,}, not {place}.")
    if until_at is not None and until_at <= from_at:
        raise InvalidFeature("until: must be after it begins, and not over already.")


def note(actor: User, verb: str, feature: Feature) -> None:
    governance.record(
        actor=actor,
        verb=verb,
        subject=feature,
        details={"template": str(feature.template_id), "reason": feature.reason},
    )

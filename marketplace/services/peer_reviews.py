"""Peer review: who may, of what, and what they said. Two reviews help a moderator's decision; they
do not take it.

Qualified are members with the role of a reviewer or moderator, and authors of some published
templates. Nobody reviews their own, nor the work of who reviews theirs at the time.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.db.models.functions import Now

from governance import services as governance
from governance.models import Role, User
from governance.services import Refusal
from marketplace.models import Template, TemplateVersion
from marketplace.models.peer_reviews import (
    PEER_TEXT_LENGTH_MAX,
    Answer,
    Check,
    PeerReview,
)
from marketplace.services.telling import tell_reviewed_by_peer

QUALIFYING_TEMPLATES = 3
REVIEWING_ROLES = (Role.REVIEWER, Role.MODERATOR, Role.SENIOR_MODERATOR)
Status = TemplateVersion.Status


class InvalidPeerReview(Refusal):
    """A field of a review is missing or unknown; the text names it."""

    status = 422


class NotQualified(Refusal):
    """Who reviews knows the matter, and has no stake in it."""

    status = 403


def published_by(user: User) -> int:
    """Templates that were published, and not taken away by a moderator."""
    return Template.objects.of(user).filter(published_at__isnull=False, hidden_at=None).count()


def is_qualified(user: User) -> bool:
    return user.has_role(*REVIEWING_ROLES) or published_by(user) >= QUALIFYING_TEMPLATES


def why_unqualified(user: User) -> str:
    """Nothing for who may review; else what is missing."""
    if is_qualified(user):
        return ""
    return (
        f"Who has published {QUALIFYING_TEMPLATES} templates reviews those of others, and who was "
        f"given the role of a reviewer. You have published {published_by(user)}."
    )


def conflict_of(user: User, version: TemplateVersion) -> str:
    """Why this person should not review this version; nothing where they may."""
    author = version.template.owner_id
    if author == user.pk:
        return "It is your own."
    if (
        PeerReview.objects.current()
        .filter(
            reviewer=author,
            version__template__owner=user,
            version__status__in=TemplateVersion.WAITING,
        )
        .exists()
    ):
        return "Its author reviews a template of yours now; that would be mutual."
    return ""


def require_reviewer(user: User, version: TemplateVersion) -> None:
    if why := why_unqualified(user) or conflict_of(user, version):
        raise NotQualified(why)


def reviewable(user: User) -> models.QuerySet[TemplateVersion]:
    """What waits, the oldest first, with how many have reviewed it and whether this person has."""
    current = PeerReview.objects.filter(
        version=models.OuterRef("pk"), submitted_at=models.OuterRef("submitted_at")
    )
    counted = current.order_by().values("version").annotate(n=models.Count("pk")).values("n")
    return (
        TemplateVersion.objects.waiting()
        .filter(template__hidden_at=None)
        .select_related("template__owner", "model__job__dataset", "validation", "claimed_by")
        .annotate(
            reviews=models.functions.Coalesce(models.Subquery(counted), 0),
            is_reviewed=models.Exists(current.filter(reviewer=user)),
            is_own=models.Q(template__owner=user),
            is_mutual=models.Exists(
                PeerReview.objects.current().filter(
                    reviewer=models.OuterRef("template__owner"),
                    version__template__owner=user,
                    version__status__in=TemplateVersion.WAITING,
                )
            ),
        )
    )


def waiting_for(*, reviewer: User) -> models.QuerySet[TemplateVersion]:
    """The queue of who may review. Raises NotQualified, which says how one gets there."""
    if why := why_unqualified(reviewer):
        raise NotQualified(why)
    return reviewable(reviewer)


@transaction.atomic
def review_version(
    *,
    reviewer: User,
    version: TemplateVersion,
    recommendation: str,
    answers: Mapping[str, str],
    text: str,
) -> PeerReview:
    """Say what one finds of a version that waits; a second call changes what the first one said."""
    require_reviewer(reviewer, version)
    said: dict[str, Any] = {
        "recommendation": checked_recommendation(recommendation),
        "answers": checked_answers(answers),
        "text": checked_text(text),
    }
    version = lock_waiting(version)
    take_up(version)
    said["reproduction"] = version.model.reproductions.filter(owner=reviewer).first()
    review, is_new = PeerReview.objects.update_or_create(
        version=version,
        reviewer=reviewer,
        defaults=said | {"submitted_at": version.submitted_at, "changed_at": Now()},
    )
    review.refresh_from_db()
    details = {"recommendation": review.recommendation}
    governance.record(actor=reviewer, verb="review_version", subject=review, details=details)
    if is_new:
        tell_reviewed_by_peer(version)
    return review


@transaction.atomic
def claim_version(*, actor: User, version: TemplateVersion) -> TemplateVersion:
    """A moderator takes it on, so that others take another; who comes later may take it over."""
    governance.require_role(actor, Role.MODERATOR, Role.SENIOR_MODERATOR)
    if version.template.owner_id == actor.pk:
        raise governance.NotAllowed("Nobody reviews their own template; ask another moderator.")
    version = lock_waiting(version)
    if version.claimed_by_id == actor.pk:
        raise Refusal(f"{version} is yours already.")
    take_up(version)
    TemplateVersion.objects.filter(pk=version.pk).update(claimed_by=actor, claimed_at=Now())
    version.refresh_from_db()
    governance.record(actor=actor, verb="claim_version", subject=version)
    return version


def lock_waiting(version: TemplateVersion) -> TemplateVersion:
    """Its row, so that nobody decides, recalls or reviews at the same moment."""
    rows = TemplateVersion.objects.select_for_update(of=("self",)).select_related("template")
    found = rows.get(pk=version.pk)
    if not found.is_waiting or found.template.hidden_at is not None:
        raise Refusal(
            f"{found} is {found.get_status_display().lower()}; what waits for a decision is "
            "listed at /reviews/."
        )
    return found


def take_up(version: TemplateVersion) -> None:
    """The first who looks at it, peer or moderator, moves it into review."""
    TemplateVersion.objects.filter(pk=version.pk, status=Status.SUBMITTED).update(
        status=Status.IN_REVIEW
    )


def checked_recommendation(recommendation: str) -> str:
    known = PeerReview.Recommendation.values
    if recommendation not in known:
        raise InvalidPeerReview(
            f"recommendation: {recommendation!r} is none of {', '.join(known)}."
        )
    return recommendation


def checked_answers(answers: Mapping[str, str]) -> dict[str, str]:
    """Every check is answered, if only by not knowing."""
    for name, answer in answers.items():
        if name not in Check.values:
            raise InvalidPeerReview(f"answers: {name!r} is none of {', '.join(Check.values)}.")
        if answer not in Answer.values:
            raise InvalidPeerReview(f"{name}: {answer!r} is none of {', '.join(Answer.values)}.")
    for check in Check:
        if check not in answers:
            raise InvalidPeerReview(f"{check.value}: is not answered; say yes, no or unsure.")
    return {check.value: str(answers[check]) for check in Check}


def checked_text(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidPeerReview("text: is empty; say what you looked at, and why you recommend it.")
    if len(text) > PEER_TEXT_LENGTH_MAX:
        raise InvalidPeerReview(
            f"text: has {len(text):,} letters; at most {PEER_TEXT_LENGTH_MAX:,}."
        )
    return text

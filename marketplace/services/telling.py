"""Who is told what on a version's way: its author at each step, moderators when it waits, and those
who use it when it changes.
"""

from django.db.models import Q, QuerySet
from django.urls import reverse

from billing import services as billing
from governance import services as governance
from governance.models import NoticeType, Role, User
from marketplace.models import Deployment, Purchase, Template, TemplateVersion

Status = TemplateVersion.Status

DECIDING = {Role.MODERATOR, Role.SENIOR_MODERATOR}
DECIDED = {
    Status.APPROVED: (NoticeType.TEMPLATE_APPROVED, "was approved"),
    Status.CHANGES_REQUESTED: (NoticeType.TEMPLATE_CHANGES_REQUESTED, "needs changes"),
    Status.REJECTED: (NoticeType.TEMPLATE_REJECTED, "was rejected"),
}


def tell_submitted(version: TemplateVersion) -> None:
    """Moderators and reviewers, but for the author among them."""
    for roles, url in (
        (DECIDING, reverse("admin:marketplace_templateversion_change", args=[version.pk])),
        ({Role.REVIEWER}, reverse("marketplace:peer_reviews")),
    ):
        users = User.objects.filter(is_active=True, role_grants__role__in=roles).distinct()
        governance.tell_all(
            users=users.exclude(pk=version.template.owner_id),
            type=NoticeType.TEMPLATE_SUBMITTED,
            text=f"{named(version)} waits for review.",
            url=url,
            data=data_of(version),
        )


def tell_reviewed_by_peer(version: TemplateVersion) -> None:
    """That somebody did; what they said is read once it is decided."""
    text = f"A peer reviewed {named(version)}; you read it when a moderator has decided."
    tell_author(version, NoticeType.TEMPLATE_REVIEWED_BY_PEER, text)


def tell_decided(version: TemplateVersion) -> None:
    type, words = DECIDED[Status(version.status)]
    note = f": {version.review_note}" if version.review_note else "."
    tell_author(version, type, f"{named(version)} {words}{note}")


def tell_published(version: TemplateVersion) -> None:
    """The author, and of a further version those who use one before it."""
    tell_author(version, NoticeType.TEMPLATE_PUBLISHED, f"{named(version)} is published.")
    tell_users(version.template, NoticeType.TEMPLATE_NEW_VERSION, f"{named(version)} is out.")


def tell_ended(version: TemplateVersion) -> None:
    """Those who use just this version, as they bought it or as it answers them."""
    tell_all(
        version.template,
        users_of(
            Purchase.objects.filter(version=version),
            answered_by(stable__route_set__routes__version=version),
        ),
        NoticeType.TEMPLATE_DEPRECATED,
        f"{named(version)} is {version.get_status_display().lower()}: {version.ended_reason}",
    )


def tell_withdrawn(template: Template) -> None:
    text = f"“{template}” was withdrawn by its author: {template.withdrawn_reason}"
    tell_users(template, NoticeType.TEMPLATE_DEPRECATED, text)


def tell_sold(purchase: Purchase) -> None:
    """The author, of what it earned them."""
    template = purchase.template
    price, share = purchase.price_microcredits, purchase.author_microcredits
    governance.tell(
        user=template.owner,
        type=NoticeType.TEMPLATE_SOLD,
        text=f"“{template}” was sold for {billing.credits(price)} credits, of which "
        f"{billing.credits(share)} are yours.",
        url=reverse("billing:wallet"),
        data={
            "template_id": str(template.pk),
            "version": purchase.version.number,
            "credits": billing.credits(share),
        },
    )


def tell_users(template: Template, type: NoticeType, text: str) -> None:
    users = users_of(template.purchases.all(), answered_by(template=template))
    tell_all(template, users, type, text)


def answered_by(**which: object) -> QuerySet[Deployment]:
    return Deployment.objects.active().filter(**which)


def users_of(purchases: QuerySet[Purchase], deployments: QuerySet[Deployment]) -> QuerySet[User]:
    buyers, owners = purchases.order_by().values("buyer"), deployments.order_by().values("owner")
    return User.objects.filter(Q(pk__in=buyers) | Q(pk__in=owners), is_active=True)


def tell_all(template: Template, users: QuerySet[User], type: NoticeType, text: str) -> None:
    governance.tell_all(
        users=users.exclude(pk=template.owner_id),
        type=type,
        text=text,
        url=template.get_absolute_url(),
        data={"template_id": str(template.pk)},
    )


def tell_author(version: TemplateVersion, type: NoticeType, text: str) -> None:
    template = version.template
    governance.tell(
        user=template.owner,
        type=type,
        text=text,
        url=reverse("marketplace:versions", args=[template.slug]),
        data=data_of(version),
    )


def named(version: TemplateVersion) -> str:
    """The first one of a template is that template, as people see it."""
    name = version.words.get("name") or version.template.name
    return f"“{name}”" if version.number == 1 else f"Version {version.number} of “{name}”"


def data_of(version: TemplateVersion) -> dict[str, object]:
    return {
        "template_id": str(version.template_id),
        "version": version.number,
        "status": version.status,
    }

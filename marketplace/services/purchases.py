"""Purchases: the price moves from buyer to author and platform, and the buyer may deploy."""

import uuid

from django.db import transaction

from billing import services as billing
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import Purchase, Template, TemplateVersion
from marketplace.services.telling import tell_sold


class PriceChanged(Refusal):
    """On offer is no longer what the buyer was shown; nothing was charged."""


class AlreadyBought(Refusal):
    """A template is bought once."""


class OwnTemplate(Refusal):
    """An author need not buy what is theirs."""


def may_deploy(user: User, template: Template) -> bool:
    """Owners may, and those who bought it, which is free where it costs nothing."""
    if template.owner_id == user.pk:
        return True
    return Purchase.objects.of(user).filter(template=template).exists()


def one_at_a_time(user: User, template: Template) -> None:
    """A second click waits here until the first one's transaction ends, and then finds its row."""
    governance.take_turn(f"{user.pk}/{template.pk}")


def require_as_seen(offered: TemplateVersion, version: int | None, at_most: int | None) -> None:
    """Raises PriceChanged where another version is on offer, or for more."""
    price = offered.price_microcredits
    if version in (None, offered.number) and (at_most is None or price <= at_most):
        return
    raise PriceChanged(
        f"“{offered.template}” is now on offer in version {offered.number}, for "
        f"{billing.credits(price)} credits. Nothing was charged; look at it again before you buy.",
        members={"version": offered.number, "price_credits": billing.credits(price)},
    )


@transaction.atomic
def buy_template(
    *,
    buyer: User,
    template: Template,
    version: int | None = None,
    at_most_microcredits: int | None = None,
) -> Purchase:
    """Move the price, 70 % to the author, and give the right to deploy, both or neither. Who says
    which `version` they saw, or what they pay at most, is charged for nothing else.
    """
    if template.owner_id == buyer.pk:
        raise OwnTemplate("This template is yours; you can deploy it as it is.")
    one_at_a_time(buyer, template)
    offered = (
        Template.objects.public()
        .select_related("owner", "current__template")
        .filter(pk=template.pk)
        .first()
    )
    if offered is None or offered.current is None:
        raise Refusal(f"“{template.name}” is not on offer at present.")
    if Purchase.objects.of(buyer).filter(template=offered).exists():
        raise AlreadyBought(f"You already have “{template.name}”; deploy it from its page.")
    require_as_seen(offered.current, version, at_most_microcredits)
    price = offered.current.price_microcredits
    purchase = Purchase(
        id=uuid.uuid4(),
        buyer=buyer,
        template=offered,
        version=offered.current,
        price_microcredits=price,
        author_microcredits=0,
        platform_microcredits=0,
    )
    if price:
        sale = billing.sell(
            buyer=buyer,
            author=offered.owner,
            amount_microcredits=price,
            key=f"purchase/{purchase.pk}",
            source=f"template/{offered.pk}",
            memo=f"“{offered.name}”",
        )
        purchase.author_microcredits = sale.author_microcredits
        purchase.platform_microcredits = sale.fee_microcredits
        purchase.transfer = sale.transfer
    purchase.save()
    governance.record(
        actor=buyer,
        verb="buy_template",
        subject=purchase,
        details={"template": str(offered.pk), "price": price},
    )
    if price:
        tell_sold(purchase)
    return purchase

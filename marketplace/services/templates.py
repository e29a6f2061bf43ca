"""Templates: publish one, approve it, reject it."""

from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import slugify

from billing.models import MICROCREDITS
from governance import services as governance
from governance.models import Role, User
from governance.services import Refusal
from marketplace.models import (
    DESCRIPTION_LENGTH_MAX,
    Plan,
    Template,
    TemplateVersion,
)
from training import services as training
from training.models import Category, Model, Validation
from training.services import COMPUTE_PRICE_MICROCREDITS

PRICE_MAX_MICROCREDITS = 1_000_000 * MICROCREDITS
SLUG_LENGTH = 60
RESERVED_SLUGS = {"mine"}  # a page of its own


class NotValidated(Refusal):
    """A model is sold only with numbers that were measured."""


class InvalidTemplate(Refusal):
    """A field is missing or out of range; the text names it."""

    status = 422


def free_slug(name: str) -> str:
    """The name as an address; a number is added when it is taken."""
    stem = slugify(name)[:SLUG_LENGTH] or "template"
    governance.take_turn(f"slug/{stem}")
    alike = Template.objects.filter(slug__startswith=stem)
    taken = RESERVED_SLUGS | set(alike.values_list("slug", flat=True))
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug


def check_terms(
    *, name: str, summary: str, description: str, plan: Plan, price: int, call_price: int
) -> None:
    if not name.strip() or not name.isprintable():
        raise InvalidTemplate("name: must be text that people can see, in one line.")
    if not summary.isprintable():
        raise InvalidTemplate("summary: must be text that people can see, in one line.")
    if not description.strip():
        raise InvalidTemplate("description: must not be empty; say what the model is for.")
    if len(description) > DESCRIPTION_LENGTH_MAX:
        raise InvalidTemplate(
            f"description: has {len(description):,} letters; at most {DESCRIPTION_LENGTH_MAX:,}."
        )
    check_prices(plan=plan, price=price, call_price=call_price)


def check_prices(*, plan: Plan, price: int, call_price: int) -> None:
    for field, amount in (("price", price), ("call_price", call_price)):
        if not 0 <= amount <= PRICE_MAX_MICROCREDITS:
            raise InvalidTemplate(f"{field}: must be between 0 and 1,000,000 credits.")
    if 0 < call_price < COMPUTE_PRICE_MICROCREDITS:
        raise InvalidTemplate("call_price: must be 0 or at least 0.0001, the price of the compute.")
    if plan == Plan.FREE and price:
        raise InvalidTemplate(
            "price: a template of the free plan costs 0; choose another plan or no price."
        )
    if plan in (Plan.STANDARD, Plan.PREMIUM) and not price:
        raise InvalidTemplate(
            f"price: a {plan.value} template has a price; or choose the free plan."
        )


def publishable_validation(model: Model) -> Validation:
    """The newest full validation, where nothing stands against selling the model with it."""
    faults = training.publication_faults(model=model)
    if faults:
        raise NotValidated(" ".join(map(str, faults)))
    return model.validations.done()[0]


@transaction.atomic
def publish_template(
    *,
    owner: User,
    model: Model,
    name: str,
    description: str,
    category: Category,
    plan: Plan,
    price_microcredits: int = 0,
    call_price_microcredits: int = 0,
    summary: str = "",
) -> Template:
    """Offer a validated model; a moderator's approval makes it public."""
    if model.owner_id != owner.pk:
        raise governance.NotAllowed("Only the owner of a model may publish it.")
    check_terms(
        name=name,
        summary=summary,
        description=description,
        plan=plan,
        price=price_microcredits,
        call_price=call_price_microcredits,
    )
    validation = publishable_validation(model)
    template = Template.objects.create(
        owner=owner,
        slug=free_slug(name),
        name=name.strip(),
        summary=summary.strip(),
        description=description,
        category=category,
        plan=plan,
        price_microcredits=price_microcredits,
        call_price_microcredits=call_price_microcredits,
        status=Template.Status.IN_REVIEW,
    )
    TemplateVersion.objects.create(
        template=template, number=1, model=model, validation=validation, changelog="First version."
    )
    training.fix_licence(model=model)
    governance.record(
        actor=owner,
        verb="publish_template",
        subject=template,
        details={"model": str(model.pk), "price": price_microcredits},
    )
    return template


def decide(*, actor: User, template: Template, status: Template.Status, note: str) -> Template:
    """A moderator's decision on a template in review; nobody decides on their own."""
    governance.require_role(actor, Role.MODERATOR, Role.SENIOR_MODERATOR)
    if template.owner_id == actor.pk:
        raise governance.NotAllowed("Nobody reviews their own template; ask another moderator.")
    published_at = Now() if status == Template.Status.PUBLIC else None
    decided = Template.objects.filter(pk=template.pk, status=Template.Status.IN_REVIEW).update(
        status=status, review_note=note, published_at=published_at
    )
    if not decided:
        raise Refusal(f"“{template.name}” is not waiting for a review.")
    template.refresh_from_db()
    return template


@transaction.atomic
def approve_template(*, actor: User, template: Template, note: str = "") -> Template:
    template = decide(actor=actor, template=template, status=Template.Status.PUBLIC, note=note)
    governance.record(actor=actor, verb="approve_template", subject=template)
    return template


@transaction.atomic
def reject_template(*, actor: User, template: Template, note: str) -> Template:
    """Send it back; the note tells the author what to mend."""
    if not note.strip():
        raise InvalidTemplate("note: say what the author should mend.")
    template = decide(actor=actor, template=template, status=Template.Status.REJECTED, note=note)
    governance.record(actor=actor, verb="reject_template", subject=template, details={"note": note})
    return template

"""Templates: begin one, say what it is, price it, submit it; every step saves a draft.

`publish_template` is the same in one call, for programs.
"""

from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import slugify

from billing.models import MICROCREDITS
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import (
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    SUMMARY_LENGTH_MAX,
    Plan,
    Template,
    TemplateVersion,
)
from marketplace.services.checklist import missing_files
from marketplace.services.telling import tell_submitted
from training import services as training
from training.models import Category, Model, Validation
from training.services import COMPUTE_PRICE_MICROCREDITS

PRICE_MAX_MICROCREDITS = 1_000_000 * MICROCREDITS
MONTHLY_CALLS_MAX = 1_000_000
SLUG_LENGTH = 60
RESERVED_SLUGS = {"mine", "new"}  # pages of their own


WORDS = ("name", "summary", "description", "category")


class NotValidated(Refusal):
    """A model is sold only with numbers that were measured."""


class InvalidTemplate(Refusal):
    """A field is missing or out of range; the text names it."""

    status = 422


class NotEditable(Refusal):
    """What was submitted stays as it is: recall it, or make a new version."""


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


def check_words(*, name: str, summary: str, description: str) -> None:
    if not name.strip() or not name.isprintable():
        raise InvalidTemplate("name: must be text that people can see, in one line.")
    if not summary.isprintable():
        raise InvalidTemplate("summary: must be text that people can see, in one line.")
    check_length("name", name, NAME_LENGTH_MAX)
    check_length("summary", summary, SUMMARY_LENGTH_MAX)
    check_length("description", description, DESCRIPTION_LENGTH_MAX)


def check_length(field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidTemplate(f"{field}: has {len(text):,} letters; at most {most:,}.")


def check_prices(*, plan: Plan, price: int, call_price: int, monthly_calls: int) -> None:
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
            f"price: a {Plan(plan).value} template has a price; or choose the free plan."
        )
    if not 0 <= monthly_calls <= MONTHLY_CALLS_MAX:
        raise InvalidTemplate("monthly_calls: must be between 0 and 1,000,000.")


def publishable_validation(model: Model) -> Validation:
    """The newest full validation, where nothing stands against selling the model with it."""
    faults = training.publication_faults(model=model)
    if faults:
        raise NotValidated(" ".join(map(str, faults)))
    return model.validations.done()[0]


def require_author(actor: User, template: Template) -> None:
    if template.owner_id != actor.pk:
        raise governance.NotAllowed("Only its author may change a template.")


def lock_editable(actor: User, version: TemplateVersion) -> TemplateVersion:
    """The version's row, so that nobody submits it while it is written."""
    require_author(actor, version.template)
    version = TemplateVersion.objects.select_for_update().get(pk=version.pk)
    if not version.is_editable:
        raise NotEditable(
            f"{version} is {version.get_status_display().lower()} and stays as it is; "
            "recall it, or make a new version."
        )
    return version


@transaction.atomic
def start_template(*, owner: User, model: Model, name: str = "") -> Template:
    """A draft about a model, which only its author sees. Without a name it has its model's, as far
    as a template's goes.
    """
    require_own(owner, model)
    name = name or model.name[:NAME_LENGTH_MAX]
    check_words(name=name, summary="", description="")
    template = Template.objects.create(
        owner=owner,
        slug=free_slug(name),
        name=name.strip(),
        category=model.job.dataset.category,
    )
    TemplateVersion.objects.create(
        template=template,
        number=1,
        model=model,
        words=words_of(template),
        changelog="First version.",
    )
    governance.record(
        actor=owner, verb="start_template", subject=template, details={"model": str(model.pk)}
    )
    return template


def words_of(template: Template) -> dict[str, str]:
    return {name: getattr(template, name) for name in WORDS}


def require_own(owner: User, model: Model) -> None:
    if model.owner_id != owner.pk:
        raise governance.NotAllowed("Only the owner of a model may publish it.")


@transaction.atomic
def describe_template(
    *,
    actor: User,
    template: Template,
    name: str,
    summary: str,
    description: str,
    category: Category,
) -> Template:
    """Say what it is; its address stays. Published ones may be described anew, too."""
    require_author(actor, template)
    said = {"name": name, "summary": summary, "description": description, "category": category}
    if template.published_at is None:
        describe_version(actor=actor, version=template.newest, **said)
    else:
        require_description(description)
        said = checked_words(**said)
        Template.objects.filter(pk=template.pk).update(**said)
        governance.record(actor=actor, verb="describe_template", subject=template)
    template.refresh_from_db()
    return template


@transaction.atomic
def describe_version(
    *,
    actor: User,
    version: TemplateVersion,
    name: str,
    summary: str,
    description: str,
    category: str,
) -> TemplateVersion:
    """Say what its page will say once this version is published. Before the first one is, the page
    is its author's alone, and says it at once.
    """
    version = lock_editable(actor, version)
    said = checked_words(name=name, summary=summary, description=description, category=category)
    if said == version.words:
        return version
    version.words = said
    version.save(update_fields=["words"])
    Template.objects.filter(pk=version.template_id, published_at=None).update(**said)
    governance.record(actor=actor, verb="describe_version", subject=version)
    return version


def checked_words(*, name: str, summary: str, description: str, category: str) -> dict[str, str]:
    check_words(name=name, summary=summary, description=description)
    if category not in Category.values:
        raise InvalidTemplate(f"category: {category!r} is none of {', '.join(Category.values)}.")
    return {
        "name": name.strip(),
        "summary": summary.strip(),
        "description": description,
        "category": str(category),
    }


def require_description(description: str) -> None:
    if not description.strip():
        raise InvalidTemplate("description: must not be empty; say what the model is for.")


@transaction.atomic
def price_version(
    *,
    actor: User,
    version: TemplateVersion,
    plan: Plan,
    price_microcredits: int,
    call_price_microcredits: int,
    monthly_calls: int = 0,
) -> TemplateVersion:
    """What this version costs others; `monthly_calls` are included each month."""
    version = lock_editable(actor, version)
    check_prices(
        plan=plan,
        price=price_microcredits,
        call_price=call_price_microcredits,
        monthly_calls=monthly_calls,
    )
    version.plan = plan
    version.price_microcredits = price_microcredits
    version.call_price_microcredits = call_price_microcredits
    version.monthly_calls = monthly_calls
    version.save()
    governance.record(
        actor=actor,
        verb="price_version",
        subject=version,
        details={"plan": Plan(plan).value, "price": price_microcredits},
    )
    return version


@transaction.atomic
def submit_version(*, actor: User, version: TemplateVersion) -> TemplateVersion:
    """Send a draft to review, bound to the measurements it is judged by."""
    version = lock_editable(actor, version)
    require_complete(version)
    version.validation = publishable_validation(version.model)
    version.status = TemplateVersion.Status.SUBMITTED
    version.submitted_at = Now()
    version.save()
    version.refresh_from_db()
    training.fix_licence(model=version.model)
    governance.record(actor=actor, verb="submit_version", subject=version)
    tell_submitted(version)
    return version


def require_complete(version: TemplateVersion) -> None:
    """What the gate of the model does not ask for."""
    template = version.template
    if template.hidden_at is not None:
        raise governance.NotAllowed(
            f"A moderator has hidden “{template}”: {template.hidden_reason}"
        )
    require_description(version.words.get("description", ""))
    if not version.changelog.strip():
        raise InvalidTemplate("changelog: is empty; say what is new in this version.")
    for file in missing_files(version):
        raise InvalidTemplate(
            f"files: the {file.label} file is not made yet; have it made, or leave it out."
        )


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
    monthly_calls: int = 0,
    summary: str = "",
) -> Template:
    """Offer a validated model, in one call; a moderator's approval makes it public."""
    require_own(owner, model)
    check_words(name=name, summary=summary, description=description)
    template = start_template(owner=owner, model=model, name=name)
    template = describe_template(
        actor=owner,
        template=template,
        name=name,
        summary=summary,
        description=description,
        category=category,
    )
    version = price_version(
        actor=owner,
        version=template.newest,
        plan=plan,
        price_microcredits=price_microcredits,
        call_price_microcredits=call_price_microcredits,
        monthly_calls=monthly_calls,
    )
    submit_version(actor=owner, version=version)
    return template

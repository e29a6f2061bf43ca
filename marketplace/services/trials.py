"""Trying a template before one has it.

On the server, each member has a template's free answers of a day, as many as its author gives; they
are metered at a price of 0, so that it is known who had them. Nobody pays for those who are not
signed in, so they have none.

In the visitor's browser it runs with the weights, and so only for who may have them: its author,
who bought it, and, of a version that costs nothing, everybody; never where an author gives answers
alone.
"""

import datetime
import uuid

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from billing import services as billing
from billing.models import UsageEvent
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import TRIES_MAX, Template
from marketplace.services.offers import Offer, require_open
from marketplace.services.templates import InvalidTemplate, require_author
from training import services as training
from training.models import Export
from training.services import ModelFile, Prediction

WASM = Export.Kind.WASM.value


class TriesUsedUp(Refusal):
    """A day has so many free answers of a template; deploy it for more."""

    status = 429


class RunsElsewhere(Refusal):
    """A model runs in the browsers of those alone who may have its weights."""

    status = 403


def trial_source(template: Template) -> str:
    return f"trial/{template.pk}"


def tries_left(*, user: User, template: Template) -> int:
    """Of today, by UTC."""
    today = datetime.datetime.combine(timezone.now().date(), datetime.time(), tzinfo=datetime.UTC)
    had = UsageEvent.objects.filter(source=trial_source(template), user=user, at__gte=today)
    return max(0, template.daily_tries - had.count())


@transaction.atomic
def try_template(*, user: User, offer: Offer, question: object) -> list[Prediction]:
    """One free answer, in the transaction that counts it: two at once do not share the last."""
    require_open(offer)
    template = offer.template
    source = trial_source(template)
    governance.take_turn(f"{source}/{user.pk}")
    if not offer.standing.is_owner and not tries_left(user=user, template=template):
        raise TriesUsedUp(
            f"Today's {template.daily_tries} free answers of “{template}” are used up. Deploy it "
            "and ask on, or come back tomorrow."
        )
    predictions = training.predict(model=offer.version.model, rows=question)
    billing.meter(
        user=user,
        source=source,
        author=None,
        price_microcredits=0,
        units=len(predictions),
        event_id=uuid.uuid4(),
    )
    return predictions


@transaction.atomic
def allow_tries(*, actor: User, template: Template, daily_tries: int) -> Template:
    """How many answers a day each member has for nothing."""
    require_author(actor, template)
    if not 0 <= daily_tries <= TRIES_MAX:
        raise InvalidTemplate(f"daily_tries: must be between 0 and {TRIES_MAX}.")
    Template.objects.filter(pk=template.pk).update(daily_tries=daily_tries)
    details = {"daily_tries": daily_tries}
    governance.record(actor=actor, verb="allow_tries", subject=template, details=details)
    template.refresh_from_db()
    return template


# In the browser


def runs_here(offer: Offer) -> bool:
    if offer.standing.is_owner:
        return True
    is_given = bool(offer.version.files) and not offer.is_closed
    return is_given and (offer.standing.has_bought or not offer.version.price_microcredits)


def file_for_browser(*, offer: Offer) -> ModelFile:
    return next(one for one in training.files_of(offer.version.model) if one.kind == WASM)


def open_for_browser(*, offer: Offer) -> tuple[ModelFile, File[bytes]]:
    """Raises NotReady where it is not made, or was kept back."""
    require_right(offer)
    return training.open_made_file(model=offer.version.model, kind=WASM)


def prepare_for_browser(*, actor: User, offer: Offer) -> None:
    require_right(offer)
    training.order_export(actor=actor, model=offer.version.model, kind=WASM)


def require_right(offer: Offer) -> None:
    if not runs_here(offer):
        raise RunsElsewhere(
            f"“{offer.template}” runs in the browsers of those who bought it; the site answers you."
        )

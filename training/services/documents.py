"""What a model's owner says of it: its licence, what it is for, where it ends, whom it may harm.

Figures are measured and are nobody's to write; these words are, and the card marks them as such.
"""

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Card, Licence, Model
from training.services.validations import NotOwner

TEXT_LENGTH_MAX = 2_000
TEXTS = {
    "intended_use": "what it is for, and for whom",
    "limits": "where it fails, or was never tried",
    "ethics": "whom its answers could harm, and what was done about it",
}


class InvalidCard(Refusal):
    """What was said of a model makes no card; names the field and what would be right."""

    status = 422


class LicenceFixed(Refusal):
    """A published model keeps its licence."""


@transaction.atomic
def document_model(
    *,
    actor: User,
    model: Model,
    licence: str,
    licence_terms: str = "",
    intended_use: str = "",
    limits: str = "",
    ethics: str = "",
) -> Card:
    """Say under which licence a model is, what it is for, what it cannot do and whom it may harm.

    All of it at once; what is left out is empty. Raises InvalidCard, LicenceFixed and NotOwner.
    """
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may write its card.")
    Model.objects.select_for_update().get(pk=model.pk)  # so that two never write the first card
    card = Card.objects.about(model)
    said = {
        "licence": licence,
        "licence_terms": licence_terms.strip(),
        "intended_use": intended_use.strip(),
        "limits": limits.strip(),
        "ethics": ethics.strip(),
    }
    check_licence(said["licence"], said["licence_terms"])
    for name in ("licence_terms", *TEXTS):
        check_text(name, said[name])
    changed = [name for name, text in said.items() if getattr(card, name) != text]
    if card.licence_fixed_at is not None and {"licence", "licence_terms"} & set(changed):
        raise LicenceFixed(
            f"licence: “{model.name}” was published under {card.get_licence_display()}, and who "
            "has it keeps it so. Train it again and publish that under another licence."
        )
    if changed:
        for name in changed:
            setattr(card, name, said[name])
        card.save()
        governance.record(
            actor=actor,
            verb="document_model",
            subject=model,
            details={"changed": changed, "licence": said["licence"]},
        )
    return card


def card_of(*, model: Model) -> Card:
    """What its owner says of it; empty where nobody wrote it."""
    return Card.objects.about(model)


@transaction.atomic
def fix_licence(*, model: Model) -> None:
    """From now on, whoever has the model has it under this licence."""
    Card.objects.filter(model=model, licence_fixed_at=None).update(licence_fixed_at=Now())


def check_licence(licence: str, terms: str) -> None:
    if licence and licence not in Licence.values:
        raise InvalidCard(
            f"licence: {licence!r} is none of {', '.join(Licence.values)}; where none fits, say "
            "“other” and write the terms."
        )
    if licence == Licence.OTHER and not terms:
        raise InvalidCard("licence_terms: are empty; write under which terms others may use it.")
    if licence != Licence.OTHER and terms:
        raise InvalidCard(
            "licence_terms: are for the licence “other” only; choose it, or leave them empty."
        )


def check_text(name: str, text: str) -> None:
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidCard(
            f"{name}: has {len(text):,} characters; at most {TEXT_LENGTH_MAX:,}. The description "
            "of a template may be longer."
        )
    if not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        raise InvalidCard(f"{name}: must be text that people can see.")

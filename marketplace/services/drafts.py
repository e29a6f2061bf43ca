"""What else an author settles while a version is a draft: its model, its files, its examples, what
is new in it, and when it is published. A draft that nobody else ever saw can be thrown away.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from governance import services as governance
from governance.models import User
from marketplace.models import (
    CHANGELOG_LENGTH_MAX,
    CollectionItem,
    Deployment,
    Route,
    TemplateVersion,
    Thread,
)
from marketplace.services.templates import (
    WORDS,
    InvalidTemplate,
    NotEditable,
    check_length,
    describe_version,
    lock_editable,
    price_version,
    require_author,
    require_own,
)
from training import services as training
from training.models import Model

EXAMPLES_MAX = 6
EXAMPLE_LENGTH_MAX = 20_000  # letters of its JSON; a row of a picture is some thousand numbers


@transaction.atomic
def choose_model(*, actor: User, version: TemplateVersion, model: Model) -> TemplateVersion:
    """Another model for a draft. Examples were questions to the one before, and go."""
    require_own(actor, model)
    version = lock_editable(actor, version)
    if version.model_id == model.pk:
        return version
    version.model, version.examples = model, []
    version.save(update_fields=["model", "examples"])
    details = {"model": str(model.pk)}
    governance.record(actor=actor, verb="choose_model", subject=version, details=details)
    return version


@transaction.atomic
def offer_files(*, actor: User, version: TemplateVersion, files: Sequence[str]) -> TemplateVersion:
    """Which of the model's files buyers get; none, where they get its answers alone."""
    version = lock_editable(actor, version)
    known = [file.kind for file in training.files_of(version.model)]
    for kind in files:
        if kind not in known:
            raise InvalidTemplate(f"files: {kind!r} is none of {', '.join(known)}.")
    chosen = [kind for kind in known if kind in files]
    if chosen == version.files:
        return version
    version.files = chosen
    version.save(update_fields=["files"])
    governance.record(actor=actor, verb="offer_files", subject=version, details={"files": chosen})
    return version


@transaction.atomic
def give_examples(
    *, actor: User, version: TemplateVersion, examples: Sequence[Any]
) -> TemplateVersion:
    """Questions for who tries it, as the API takes them. Each is asked now, so each is answered."""
    version = lock_editable(actor, version)
    if len(examples) > EXAMPLES_MAX:
        raise InvalidTemplate(f"examples: are {len(examples)}; at most {EXAMPLES_MAX}.")
    kept = list(examples)
    if kept == version.examples:
        return version
    for place, example in enumerate(kept):
        check_example(version.model, place, example)
    version.examples = kept
    version.save(update_fields=["examples"])
    governance.record(
        actor=actor, verb="give_examples", subject=version, details={"examples": len(kept)}
    )
    return version


def check_example(model: Model, place: int, example: Any) -> None:
    length = len(json.dumps(example))
    if length > EXAMPLE_LENGTH_MAX:
        raise InvalidTemplate(
            f"examples: number {place + 1} has {length:,} letters; at most {EXAMPLE_LENGTH_MAX:,}."
        )
    try:
        training.require_one_row(model=model, rows=example)
        training.predict(model=model, rows=example)
    except governance.Refusal as refusal:
        raise InvalidTemplate(f"examples: number {place + 1}: {refusal}") from refusal


@transaction.atomic
def write_card(
    *,
    actor: User,
    version: TemplateVersion,
    intended_use: str,
    limits: str,
    ethics: str,
    **words: str,
) -> TemplateVersion:
    """All that a page says in its author's words: of the version, and of its model."""
    version = describe_version(actor=actor, version=version, **words)
    card = training.card_of(model=version.model)
    training.document_model(
        actor=actor,
        model=version.model,
        licence=card.licence,
        licence_terms=card.licence_terms,
        intended_use=intended_use,
        limits=limits,
        ethics=ethics,
    )
    return version


@transaction.atomic
def settle_files(
    *,
    actor: User,
    version: TemplateVersion,
    licence: str,
    licence_terms: str,
    files: Sequence[str],
    examples: Sequence[Any],
) -> TemplateVersion:
    """What people get, under which licence, and what they may try it with."""
    require_author(actor, version.template)
    card = training.card_of(model=version.model)
    training.document_model(
        actor=actor,
        model=version.model,
        licence=licence,
        licence_terms=licence_terms,
        intended_use=card.intended_use,
        limits=card.limits,
        ethics=card.ethics,
    )
    version = offer_files(actor=actor, version=version, files=files)
    return give_examples(actor=actor, version=version, examples=examples)


@transaction.atomic
def schedule_version(
    *, actor: User, version: TemplateVersion, changelog: str, publishes_at_once: bool
) -> TemplateVersion:
    """What is new in it, and whether it is published as soon as it is approved."""
    version = lock_editable(actor, version)
    check_length("changelog", changelog, CHANGELOG_LENGTH_MAX)
    before = (version.changelog, version.publishes_at_once)
    version.changelog, version.publishes_at_once = changelog.strip(), publishes_at_once
    if before == (version.changelog, version.publishes_at_once):
        return version
    version.save(update_fields=["changelog", "publishes_at_once"])
    governance.record(actor=actor, verb="schedule_version", subject=version)
    return version


@transaction.atomic
def change_draft(
    *, actor: User, version: TemplateVersion, changes: Mapping[str, Any]
) -> TemplateVersion:
    """Any of what the steps settle, all or nothing; what is left out stays."""
    if "model" in changes:
        version = choose_model(actor=actor, version=version, model=changes["model"])
    if said := named(changes, *WORDS):
        words = {name: version.words.get(name, "") for name in WORDS}
        version = describe_version(actor=actor, version=version, **(words | said))
    if said := named(changes, *TERMS):
        terms = {name: getattr(version, name) for name in TERMS}
        version = price_version(actor=actor, version=version, **(terms | said))
    if "files" in changes:
        version = offer_files(actor=actor, version=version, files=changes["files"])
    if "examples" in changes:
        version = give_examples(actor=actor, version=version, examples=changes["examples"])
    if said := named(changes, "changelog", "publishes_at_once"):
        plans = {name: getattr(version, name) for name in ("changelog", "publishes_at_once")}
        version = schedule_version(actor=actor, version=version, **(plans | said))
    return version


TERMS = ("plan", "price_microcredits", "call_price_microcredits", "monthly_calls")


def named(changes: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: changes[name] for name in names if name in changes}


@transaction.atomic
def discard_version(*, actor: User, version: TemplateVersion) -> None:
    """Throw away a draft that was never submitted, and its template with the only one. What stands
    on it keeps it.
    """
    version = lock_editable(actor, version)
    if not version.is_discardable:
        raise NotEditable(f"{version} was submitted before and stays; mend it, or leave it.")
    template = version.template
    governance.record(actor=actor, verb="discard_version", subject=version)
    try:
        version.delete()
        if not template.versions.exists():
            governance.record(actor=actor, verb="discard_template", subject=template)
            template.delete()
    except ProtectedError as error:
        raise NotEditable(f"{version} cannot be thrown away: {held_by(error)}") from error


HOLDERS = {
    Deployment: "deployments answer, or answered, with it, and what they cost stays written down",
    Route: "deployments answer, or answered, with it, and what they cost stays written down",
    CollectionItem: "it is in a collection; take it out there first",
    Thread: "it is discussed, and what people say stays",
}


def held_by(error: ProtectedError) -> str:
    reasons = {HOLDERS.get(type(row), "others refer to it") for row in error.protected_objects}
    return f"{'; '.join(sorted(reasons))}."

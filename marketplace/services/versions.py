"""The life of a version after its first draft: begun, recalled, published, deprecated, withdrawn.

Every step is one conditional update, so of two at once one is refused. After each, the template
stands for the newest version that is still published (`follow`).
"""

import uuid

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce, Now

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import (
    CHANGELOG_LENGTH_MAX,
    REASON_LENGTH_MAX,
    Template,
    TemplateVersion,
)
from marketplace.services.telling import tell_ended, tell_published, tell_withdrawn
from marketplace.services.templates import (
    InvalidTemplate,
    check_length,
    require_author,
    require_own,
    words_of,
)
from training.models import Model

Status = TemplateVersion.Status


class OpenVersion(Refusal):
    """A template has one version on the way at a time."""


@transaction.atomic
def start_version(
    *, owner: User, template: Template, model: Model, changelog: str = ""
) -> TemplateVersion:
    """The draft of a template's next version, with the words and the terms that it has now."""
    require_author(owner, template)
    require_own(owner, model)
    check_length("changelog", changelog, CHANGELOG_LENGTH_MAX)
    template = Template.objects.select_for_update().get(pk=template.pk)
    started = template.versions.open().first()
    if started is not None:
        raise OpenVersion(
            f"Version {started.number} is {started.get_status_display().lower()}; a template has "
            "one on the way at a time. Go on with that one."
        )
    before = template.shown
    version = TemplateVersion.objects.create(
        template=template,
        number=(template.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        model=model,
        plan=before.plan,
        price_microcredits=before.price_microcredits,
        call_price_microcredits=before.call_price_microcredits,
        monthly_calls=before.monthly_calls,
        words=words_of(template),
        files=before.files,
        examples=before.examples if before.model_id == model.pk else [],
        changelog=changelog.strip(),
    )
    details = {"number": version.number, "model": str(model.pk)}
    governance.record(actor=owner, verb="start_version", subject=version, details=details)
    return version


@transaction.atomic
def recall_version(*, actor: User, version: TemplateVersion) -> TemplateVersion:
    """Take a submission back, to mend it: it is a draft again."""
    require_author(actor, version.template)
    waiting = {Status.SUBMITTED, Status.IN_REVIEW}
    return step(actor, version, waiting, Status.DRAFT, "recall", claimed_by=None)


@transaction.atomic
def publish_version(*, actor: User, version: TemplateVersion) -> Template:
    """Put an approved version on offer, where its author wanted to say when."""
    require_author(actor, version.template)
    return make_current(actor=actor, version=version)


def make_current(*, actor: User, version: TemplateVersion) -> Template:
    """Publish an approved version: who deploys or buys from now on gets this one, and what was
    withdrawn is on offer again.
    """
    version = step(
        actor, version, {Status.APPROVED}, Status.PUBLISHED, "publish", published_at=Now()
    )
    Template.objects.filter(pk=version.template_id).update(
        **version.words,
        published_at=Coalesce("published_at", Now()),
        withdrawn_at=None,
        withdrawn_reason="",
    )
    tell_published(version)
    return follow(version.template_id)


@transaction.atomic
def deprecate_version(*, actor: User, version: TemplateVersion, reason: str) -> Template:
    """Tell people to use another one. Who has it keeps it, and who insists may still have it."""
    require_author(actor, version.template)
    ended = {"ended_reason": checked_reason(reason)}
    version = step(actor, version, {Status.PUBLISHED}, Status.DEPRECATED, "deprecate", **ended)
    tell_ended(version)
    return follow(version.template_id)


@transaction.atomic
def revive_version(*, actor: User, version: TemplateVersion) -> Template:
    """A deprecated version is as good as before."""
    require_author(actor, version.template)
    step(actor, version, {Status.DEPRECATED}, Status.PUBLISHED, "revive", ended_reason="")
    return follow(version.template_id)


@transaction.atomic
def withdraw_version(*, actor: User, version: TemplateVersion, reason: str) -> Template:
    """Nobody new gets this version; who bought it keeps it, and what is deployed goes on. With the
    last one that people could have, the template is withdrawn.
    """
    require_author(actor, version.template)
    reason = checked_reason(reason)
    version = step(actor, version, ENDING, Status.WITHDRAWN, "withdraw", ended_reason=reason)
    template = follow(version.template_id)
    if template.published_at is None or template.versions.filter(status__in=HAD).exists():
        tell_ended(version)
        return template
    return mark_withdrawn(template, reason)


@transaction.atomic
def withdraw_template(*, actor: User, template: Template, reason: str) -> Template:
    """All of it: nobody new gets any version. A version on its way to a decision is recalled."""
    require_author(actor, template)
    reason = checked_reason(reason)
    template = Template.objects.select_for_update().get(pk=template.pk)
    if template.published_at is None:
        raise Refusal(f"“{template}” was never published; recall or discard its draft instead.")
    if template.withdrawn_at is not None:
        raise Refusal(f"“{template}” is withdrawn already.")
    template.versions.waiting().update(status=Status.DRAFT, claimed_by=None)
    template.versions.filter(status__in=ENDING).update(status=Status.WITHDRAWN, ended_reason=reason)
    details = {"reason": reason}
    governance.record(actor=actor, verb="withdraw_template", subject=template, details=details)
    return mark_withdrawn(template, reason)


HAD = (Status.PUBLISHED, Status.DEPRECATED)
ENDING = {*HAD, Status.APPROVED}


def checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidTemplate("reason: is empty; say why, for those who use it.")
    check_length("reason", reason, REASON_LENGTH_MAX)
    return reason


def step(
    actor: User,
    version: TemplateVersion,
    before: set[Status],
    after: Status,
    verb: str,
    **changes: object,
) -> TemplateVersion:
    """One arrow of the states, taken once; refused from any other state. The template is locked
    first, as by all who change it together with its versions, so that no two wait for each other.
    """
    Template.objects.select_for_update().get(pk=version.template_id)
    rows = TemplateVersion.objects.filter(pk=version.pk, status__in=before)
    if not rows.update(status=after, **changes):
        version.refresh_from_db()
        states = " or ".join(sorted(status.label.lower() for status in before))
        raise Refusal(
            f"Version {version.number} is {version.get_status_display().lower()}; to {verb} it, it "
            f"must be {states}."
        )
    version = TemplateVersion.objects.select_related("template__owner").get(pk=version.pk)
    reason = {"reason": changes["ended_reason"]} if changes.get("ended_reason") else None
    governance.record(actor=actor, verb=f"{verb}_version", subject=version, details=reason)
    return version


def follow(template_id: uuid.UUID) -> Template:
    """Let the template stand for its newest published version; where none is left, for its newest
    deprecated one; where none of these is either, for the one that it stood for.
    """
    template = Template.objects.select_for_update().get(pk=template_id)
    had = template.versions.filter(status__in=HAD)
    # "published" comes after "deprecated".
    newest = had.order_by(F("status").desc(), F("number").desc()).first()
    if newest is not None and template.current_id != newest.pk:
        template.current = newest
        template.save(update_fields=["current"])
    return Template.objects.get(pk=template_id)


def mark_withdrawn(template: Template, reason: str) -> Template:
    """It still stands for the version it stood for: who has it goes on with that. They are told
    once, whatever of it is withdrawn later.
    """
    rows = Template.objects.filter(pk=template.pk, withdrawn_at=None)
    is_news = rows.update(withdrawn_at=Now(), withdrawn_reason=reason) == 1
    template.refresh_from_db()
    if is_news:
        tell_withdrawn(template)
    return template

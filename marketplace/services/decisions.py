"""What moderators decide on versions that wait. Nobody decides on their own."""

from django.db import transaction

from governance import services as governance
from governance.models import Role, User
from governance.services import Refusal
from marketplace.models import Template, TemplateVersion
from marketplace.services.telling import tell_decided
from marketplace.services.templates import InvalidTemplate
from marketplace.services.versions import make_current

Status = TemplateVersion.Status


class AnotherSubmission(Refusal):
    """What waits is not what the moderator saw: it was taken back and submitted anew since."""


def decide(
    *, actor: User, template: Template, status: Status, note: str, seen: str | None
) -> TemplateVersion:
    """Move the version that waits to what was decided, once, where it is the submission `seen`."""
    governance.require_role(actor, Role.MODERATOR, Role.SENIOR_MODERATOR)
    if template.owner_id == actor.pk:
        raise governance.NotAllowed("Nobody reviews their own template; ask another moderator.")
    template = Template.objects.select_for_update().get(pk=template.pk)
    if template.hidden_at is not None:
        raise governance.NotAllowed(f"A moderator has hidden “{template}”; restore it first.")
    version = template.versions.waiting().select_for_update().first()
    if version is None:
        raise Refusal(f"“{template.name}” is not waiting for a review.")
    if seen not in (None, version.submission):
        raise AnotherSubmission(
            f"{version} was submitted anew since you opened its page; look at it again."
        )
    version.status = status
    version.review_note, version.claimed_by = note, None
    version.save(update_fields=["status", "review_note", "claimed_by"])
    governance.record(
        actor=actor, verb=f"{status.value}_version", subject=version, details={"note": note}
    )
    tell_decided(version)
    return version


@transaction.atomic
def approve_template(
    *, actor: User, template: Template, note: str = "", seen: str | None = None
) -> Template:
    """Approve the version that waits. It is on offer at once, or when its author says so."""
    version = decide(actor=actor, template=template, status=Status.APPROVED, note=note, seen=seen)
    if version.publishes_at_once:
        return make_current(actor=actor, version=version)
    template.refresh_from_db()
    return template


@transaction.atomic
def request_changes(
    *, actor: User, template: Template, note: str, seen: str | None = None
) -> Template:
    """Send it back; the note tells the author what to mend before submitting it again."""
    require_note(note)
    decide(actor=actor, template=template, status=Status.CHANGES_REQUESTED, note=note, seen=seen)
    template.refresh_from_db()
    return template


@transaction.atomic
def reject_template(
    *, actor: User, template: Template, note: str, seen: str | None = None
) -> Template:
    """Refuse this version for good; the note says why."""
    require_note(note)
    decide(actor=actor, template=template, status=Status.REJECTED, note=note, seen=seen)
    template.refresh_from_db()
    return template


def require_note(note: str) -> None:
    if not note.strip():
        raise InvalidTemplate("note: say what the author should mend.")

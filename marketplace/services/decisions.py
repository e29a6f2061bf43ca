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


def decide(*, actor: User, template: Template, status: Status, note: str) -> TemplateVersion:
    """Move the version that waits to what was decided, once."""
    governance.require_role(actor, Role.MODERATOR, Role.SENIOR_MODERATOR)
    if template.owner_id == actor.pk:
        raise governance.NotAllowed("Nobody reviews their own template; ask another moderator.")
    version = template.versions.waiting().select_for_update().first()
    if version is None:
        raise Refusal(f"“{template.name}” is not waiting for a review.")
    version.status = status
    version.review_note, version.claimed_by = note, None
    version.save(update_fields=["status", "review_note", "claimed_by"])
    governance.record(
        actor=actor, verb=f"{status.value}_version", subject=version, details={"note": note}
    )
    tell_decided(version)
    return version


@transaction.atomic
def approve_template(*, actor: User, template: Template, note: str = "") -> Template:
    """Approve the version that waits. It is on offer at once, or when its author says so."""
    version = decide(actor=actor, template=template, status=Status.APPROVED, note=note)
    if version.publishes_at_once:
        return make_current(actor=actor, version=version)
    template.refresh_from_db()
    return template


@transaction.atomic
def request_changes(*, actor: User, template: Template, note: str) -> Template:
    """Send it back; the note tells the author what to mend before submitting it again."""
    require_note(note)
    decide(actor=actor, template=template, status=Status.CHANGES_REQUESTED, note=note)
    template.refresh_from_db()
    return template


@transaction.atomic
def reject_template(*, actor: User, template: Template, note: str) -> Template:
    """Refuse this version for good; the note says why."""
    require_note(note)
    decide(actor=actor, template=template, status=Status.REJECTED, note=note)
    template.refresh_from_db()
    return template


def require_note(note: str) -> None:
    if not note.strip():
        raise InvalidTemplate("note: say what the author should mend.")

"""Hiding what people can see, and showing it again."""

from django.db import transaction

from governance.models import Moderated, Role, User
from governance.services.audit import record
from governance.services.refusals import Refusal
from governance.services.roles import require_role

HIDING_ROLES = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.ADMIN)


@transaction.atomic
def hide(*, actor: User, subject: Moderated, reason: str) -> None:
    require_role(actor, *HIDING_ROLES)
    if not reason.strip():
        raise Refusal("Say why: the reason is shown to the author.")
    subject.hide(reason)
    record(actor=actor, verb="hide", subject=subject, details={"reason": reason})


@transaction.atomic
def restore(*, actor: User, subject: Moderated) -> None:
    require_role(actor, *HIDING_ROLES)
    subject.restore()
    record(actor=actor, verb="restore", subject=subject)

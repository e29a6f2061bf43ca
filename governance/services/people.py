"""Accounts: closed and opened again."""

from django.db import transaction

from governance.models import Role, User
from governance.services.audit import record
from governance.services.refusals import NotAllowed, Refusal
from governance.services.roles import require_role


@transaction.atomic
def close_account(*, actor: User, user: User, reason: str) -> User:
    """Nobody signs in or calls by this account any more; what it made and owns stays."""
    require_role(actor, Role.ADMIN)
    if actor.pk == user.pk:
        raise NotAllowed("Nobody closes their own account here; ask another administrator.")
    if not reason.strip():
        raise Refusal("Say why: the reason is written down.")
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        raise Refusal("This account is already closed.")
    record(actor=actor, verb="close_account", subject=user, details={"reason": reason})
    user.refresh_from_db()
    return user


@transaction.atomic
def reopen_account(*, actor: User, user: User) -> User:
    require_role(actor, Role.ADMIN)
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        raise Refusal("This account is open.")
    record(actor=actor, verb="reopen_account", subject=user)
    user.refresh_from_db()
    return user

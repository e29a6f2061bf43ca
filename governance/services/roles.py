"""Who may do what beyond what every member may."""

from django.db import transaction

from governance.models import Role, RoleGrant, User
from governance.services.audit import record
from governance.services.refusals import NotAllowed

DESK_ROLES = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.FINANCE, Role.ADMIN)  # see the admin


@transaction.atomic
def grant_role(*, actor: User | None, user: User, role: Role) -> RoleGrant:
    if actor is not None and not actor.has_role(Role.ADMIN):
        raise NotAllowed("Only an administrator may give roles.")
    grant, created = RoleGrant.objects.get_or_create(
        user=user, role=role, defaults={"granted_by": actor}
    )
    if created:
        if role in DESK_ROLES:
            User.objects.filter(pk=user.pk).update(is_staff=True)
        record(actor=actor, verb="grant_role", subject=user, details={"role": role.value})
    return grant


def require_role(user: User, *roles: Role) -> None:
    if not user.has_role(*roles):
        names = " or ".join(role.label.lower() for role in roles)
        raise NotAllowed(f"This needs the role {names}; ask an administrator for it.")

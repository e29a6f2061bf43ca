"""People, their roles and keys, the audit trail, and what it means to be moderated."""

from governance.models.answers import Answer
from governance.models.audit import AuditEntry, AuditLink
from governance.models.keys import ApiKey, ApiKeyQuerySet, Scope
from governance.models.moderation import Moderated
from governance.models.people import Role, RoleGrant, User

__all__ = [
    "Answer",
    "ApiKey",
    "ApiKeyQuerySet",
    "AuditEntry",
    "AuditLink",
    "Moderated",
    "Role",
    "RoleGrant",
    "Scope",
    "User",
]

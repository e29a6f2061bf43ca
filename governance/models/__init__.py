"""People, their roles and keys, what they are told, the audit trail, and being moderated."""

from governance.models.answers import Answer
from governance.models.audit import AuditEntry, AuditLink
from governance.models.keys import ApiKey, ApiKeyQuerySet, Scope
from governance.models.moderation import Moderated
from governance.models.notices import BY_EMAIL, Notice, NoticeChoice, NoticeQuerySet, NoticeType
from governance.models.people import Role, RoleGrant, User
from governance.models.quotas import Quota
from governance.models.statements import Statement
from governance.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Answer",
    "ApiKey",
    "ApiKeyQuerySet",
    "AuditEntry",
    "AuditLink",
    "BY_EMAIL",
    "Moderated",
    "Notice",
    "NoticeChoice",
    "NoticeQuerySet",
    "NoticeType",
    "Quota",
    "Statement",
    "Role",
    "RoleGrant",
    "Scope",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]

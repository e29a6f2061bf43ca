"""What may be asked of governance. One noun per file; this list is the app's specification."""

from governance.services.answers import KeyInUse, KeyReused, answer_once, digest_of, fingerprint
from governance.services.audit import record, request_id, verify_audit
from governance.services.keys import create_api_key, find_api_key, revoke_api_key
from governance.services.moderation import HIDING_ROLES, hide, restore
from governance.services.notices import (
    UNREAD_SHOWN_MAX,
    choose_email,
    count_unread,
    read_notice,
    read_notices,
    tell,
    tell_all,
    types_by_email,
    unread_by,
)
from governance.services.people import close_account, reopen_account
from governance.services.quotas import (
    QuotaExceeded,
    Standing,
    caller_of,
    exceeded,
    take_quota,
)
from governance.services.refusals import NotAllowed, Refusal
from governance.services.roles import grant_role, require_role
from governance.services.turns import in_turn, take_turn, try_turn
from governance.services.webhooks import (
    DeliveryIsPending,
    InvalidWebhook,
    TooManyWebhooks,
    WebhookIsOff,
    change_webhook,
    create_webhook,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    replay_delivery,
    rotate_webhook_secret,
    test_webhook,
    webhook_secret,
)

__all__ = [
    "HIDING_ROLES",
    "UNREAD_SHOWN_MAX",
    "DeliveryIsPending",
    "InvalidWebhook",
    "KeyInUse",
    "KeyReused",
    "NotAllowed",
    "QuotaExceeded",
    "Refusal",
    "Standing",
    "TooManyWebhooks",
    "WebhookIsOff",
    "answer_once",
    "choose_email",
    "caller_of",
    "close_account",
    "count_unread",
    "create_api_key",
    "change_webhook",
    "create_webhook",
    "delete_webhook",
    "digest_of",
    "disable_webhook",
    "enable_webhook",
    "find_api_key",
    "exceeded",
    "fingerprint",
    "grant_role",
    "hide",
    "in_turn",
    "read_notice",
    "read_notices",
    "record",
    "reopen_account",
    "replay_delivery",
    "request_id",
    "require_role",
    "restore",
    "revoke_api_key",
    "rotate_webhook_secret",
    "take_quota",
    "take_turn",
    "tell",
    "tell_all",
    "test_webhook",
    "try_turn",
    "types_by_email",
    "unread_by",
    "verify_audit",
    "webhook_secret",
]

"""What webhooks bring, as the description of the API tells it to who writes a receiver.

Written as OpenAPI has it and not made of a serializer: nothing here is read or answered by us.
"""

from typing import Any

from drf_spectacular.utils import OpenApiWebhook

from governance.models import NoticeType
from governance.models.webhooks import TEST_TYPE

TEXT = {"type": "string"}


def header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "schema": TEXT,
        "description": description,
    }


BODY = {
    "type": "object",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": TEXT | {"enum": [*NoticeType.values, TEST_TYPE]},
        "timestamp": TEXT | {"format": "date-time", "description": "When it happened."},
        "data": {
            "type": "object",
            "description": "Ids and figures; which ones depends on the type.",
            "required": ["text"],
            "properties": {
                "text": TEXT | {"description": "What happened, in one sentence."},
                "notice_id": TEXT | {"format": "uuid", "description": "Of /api/v1/notices."},
                "url": TEXT | {"description": "Where to see it; empty where nowhere."},
                "left_out": {
                    "type": "array",
                    "items": TEXT,
                    "description": "What is missing, since a body has at most 20 kB.",
                },
            },
            "additionalProperties": True,
        },
    },
}
MESSAGE = OpenApiWebhook(
    "message",
    {
        "post": {
            "operationId": "webhook_message",
            "tags": ["webhooks"],
            "summary": "What your receiver is sent",
            "description": "Signed after Standard Webhooks 1.0, whose libraries check it. A "
            "message may come twice: what has the same `webhook-id` is the same. New types may be "
            "added; take what you do not know as taken.",
            "parameters": [
                header("webhook-id", "The same whenever a message is sent again."),
                header("webhook-timestamp", "When it was sent, in seconds since 1970."),
                header(
                    "webhook-signature",
                    "`v1,` and the base64 of HMAC-SHA256(secret, id.timestamp.body); after a "
                    "rotation two of them, separated by a space.",
                ),
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": BODY}}},
            "responses": {
                "2XX": {"description": "Taken."},
                "410": {"description": "Nothing shall be sent here any more."},
                "429": {"description": "Not now; `Retry-After` says when."},
                "default": {"description": "Not taken; it is sent again after a while."},
            },
        }
    },
)

"""Addresses of governance."""

from django.urls import path

from governance.api import notices as notice_api
from governance.api import webhooks as webhook_api
from governance.views import keys, notices, webhooks

app_name = "governance"
urlpatterns = [
    # /account/keys/
    path("account/keys/", keys.keys, name="keys"),
    path("account/keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke_key"),
    # /notices/
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_notices, name="read_notices"),
    path("notices/settings/", notices.notice_settings, name="notice_settings"),
    path("notices/<uuid:notice_id>/", notices.notice, name="notice"),
    # /webhooks/
    path("webhooks/", webhooks.webhooks, name="webhooks"),
    path("webhooks/<uuid:endpoint_id>/", webhooks.webhook, name="webhook"),
    path("webhooks/<uuid:endpoint_id>/edit/", webhooks.edit_webhook, name="edit_webhook"),
    path("webhooks/<uuid:endpoint_id>/secret/", webhooks.rotate_webhook, name="rotate_webhook"),
    path("webhooks/<uuid:endpoint_id>/test/", webhooks.test_webhook, name="test_webhook"),
    path("webhooks/<uuid:endpoint_id>/enable/", webhooks.enable_webhook, name="enable_webhook"),
    path("webhooks/<uuid:endpoint_id>/disable/", webhooks.disable_webhook, name="disable_webhook"),
    path("webhooks/<uuid:endpoint_id>/delete/", webhooks.delete_webhook, name="delete_webhook"),
    path(
        "webhooks/<uuid:endpoint_id>/<uuid:delivery_id>/",
        webhooks.delivery,
        name="delivery",
    ),
    path(
        "webhooks/<uuid:endpoint_id>/<uuid:delivery_id>/replay/",
        webhooks.replay_delivery,
        name="replay_delivery",
    ),
    # /api/v1/
    path("api/v1/notices", notice_api.Notices.as_view(), name="api_notices"),
    path("api/v1/webhooks", webhook_api.Webhooks.as_view(), name="api_webhooks"),
    path("api/v1/webhooks/<uuid:webhook_id>", webhook_api.OneWebhook.as_view(), name="api_webhook"),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/secret",
        webhook_api.WebhookSecret.as_view(),
        name="api_webhook_secret",
    ),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/test",
        webhook_api.WebhookTest.as_view(),
        name="api_webhook_test",
    ),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/enable",
        webhook_api.WebhookSwitch.as_view(),
        name="api_webhook_switch",
    ),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/deliveries",
        webhook_api.Deliveries.as_view(),
        name="api_deliveries",
    ),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>",
        webhook_api.OneDelivery.as_view(),
        name="api_delivery",
    ),
    path(
        "api/v1/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay",
        webhook_api.Replay.as_view(),
        name="api_replay",
    ),
]

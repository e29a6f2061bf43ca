"""Addresses of governance."""

from django.urls import path

from governance.api import notices as notice_api
from governance.views import keys, notices

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
    # /api/v1/
    path("api/v1/notices", notice_api.Notices.as_view(), name="api_notices"),
]

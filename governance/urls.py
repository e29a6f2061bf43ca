"""Addresses of governance."""

from django.urls import path

from governance import views

app_name = "governance"
urlpatterns = [
    # /account/keys/
    path("account/keys/", views.keys, name="keys"),
    path("account/keys/<int:key_id>/revoke/", views.revoke_key, name="revoke_key"),
]

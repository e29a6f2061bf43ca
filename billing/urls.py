"""Addresses of billing."""

from django.urls import path

from billing import api, views

app_name = "billing"
urlpatterns = [
    # /wallet/
    path("wallet/", views.wallet, name="wallet"),
    # /api/v1/
    path("api/v1/wallet", api.WalletView.as_view(), name="api_wallet"),
]

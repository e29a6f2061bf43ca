"""How a person joins: allauth's steps, ending in the same service that every other door calls."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from billing import services as billing
from governance.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        """Welcome credits come with a confirmed address, once per person: the key is the person."""
        with transaction.atomic():
            confirmed: bool = super().confirm_email(request, email_address)
            if confirmed:
                user: User = email_address.user
                billing.welcome(user=user)
        return confirmed

"""What every page knows: the wallet's balance and the chosen theme."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from billing import services as billing
from governance.models import User

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    user = request.user
    if isinstance(user, User):
        context["wallet_credits"] = SimpleLazyObject(lambda: billing.available_credits(user))
    return context

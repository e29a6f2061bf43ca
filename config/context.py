"""What every page knows: the wallet's balance and the chosen theme."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from billing import services as billing
from billing.models import MICROCREDITS
from governance.models import User

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    user = request.user
    if isinstance(user, User):
        context["wallet_credits"] = SimpleLazyObject(lambda: wallet_credits(user))
    return context


def wallet_credits(user: User) -> str:
    """Two decimals, rounded down: a header may say less than there is, never more."""
    hundredths = billing.available_microcredits(user) // (MICROCREDITS // 100)
    return f"{hundredths // 100:,}.{hundredths % 100:02d}"

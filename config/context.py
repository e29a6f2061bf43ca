"""What every page knows: the wallet's balance, what is new for its reader, and the theme."""

from typing import Any

from django.db.models import OuterRef
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from billing import services as billing
from billing.models import MICROCREDITS
from governance import services as governance
from governance.models import User

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    user = request.user
    if isinstance(user, User):
        header = SimpleLazyObject(lambda: header_of(user))
        context["wallet_credits"] = SimpleLazyObject(lambda: header["wallet_credits"])
        context["unread_notices"] = SimpleLazyObject(lambda: header["unread_notices"])
    return context


def header_of(user: User) -> dict[str, Any]:
    """What the header tells this person, all of it by one query, since every page asks it."""
    me = OuterRef("pk")
    shown = User.objects.filter(pk=user.pk).values_list(
        billing.available_to(me), governance.unread_by(me)
    )
    free, unread = shown.first() or (0, 0)
    return {"wallet_credits": wallet_credits(free or 0), "unread_notices": unread}


def wallet_credits(microcredits: int) -> str:
    """Two decimals, rounded down: a header may say less than there is, never more."""
    hundredths = microcredits // (MICROCREDITS // 100)
    return f"{hundredths // 100:,}.{hundredths % 100:02d}"

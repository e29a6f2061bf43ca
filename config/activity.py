"""Notes down that a person was here, for the list of their sessions: once a minute, not each time.

A page that follows a job asks every second, and each note is five statements, one of which writes.
"""

import hashlib
from collections.abc import Callable

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase

SECONDS = 60


class ActivityMiddleware:
    """In place of allauth's own, which notes every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.session.session_key and request.user.is_authenticated and is_due(request):
            UserSession.objects.create_from_request(request)
        return self.get_response(request)


def is_due(request: HttpRequest) -> bool:
    """Another address or another browser is noted at once."""
    address = get_adapter().get_client_ip(request)
    browser = request.META.get("HTTP_USER_AGENT", "")
    told = f"{request.session.session_key}/{address}/{browser}"
    key = f"activity/{hashlib.sha256(told.encode()).hexdigest()}"
    return bool(cache.add(key, True, timeout=SECONDS))

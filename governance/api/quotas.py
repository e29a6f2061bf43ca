"""What a program may ask in so many seconds: predictions have a quota of their own."""

from typing import TYPE_CHECKING

from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from governance import services as governance
from governance.models import Scope, User

if TYPE_CHECKING:
    from rest_framework.views import APIView

# What DRF refuses with before it asks a throttle.
UNADMITTED = (
    exceptions.AuthenticationFailed,
    exceptions.NotAuthenticated,
    exceptions.PermissionDenied,
)


class QuotaThrottle(BaseThrottle):
    """Counts a call once it is known who calls."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "required_scope", {}).get(request.method)
        count(request, policy="predict" if scope == Scope.PREDICT else "api")
        return True


def count(request: Request, *, policy: str) -> None:
    """Raises QuotaExceeded. The standing is left at the request, where the middleware finds it that
    writes the headers of every answer.
    """
    user = request.user if isinstance(request.user, User) else None
    standing = governance.take_quota(
        policy=policy,
        caller=governance.caller_of(user, request.META["REMOTE_ADDR"]),
        is_member=user is not None,
    )
    request._request.standing = standing  # type: ignore[attr-defined]  # a mark of ours
    if standing is not None and standing.left < 0:
        raise governance.exceeded(standing)


def counted(error: Exception, request: Request) -> Exception:
    """Who may not ask has asked all the same: else nobody would be kept from trying keys."""
    if not isinstance(error, UNADMITTED) or hasattr(request._request, "standing"):
        return error
    try:
        count(request, policy="api")
    except governance.QuotaExceeded as refusal:
        return refusal
    return error

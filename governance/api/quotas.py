"""What a program may ask in so many seconds: predictions have a quota of their own."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from governance import services as governance
from governance.models import Scope, User

if TYPE_CHECKING:
    from rest_framework.views import APIView


class QuotaThrottle(BaseThrottle):
    """Counts a call once it is known who calls. The standing is left at the request, where the
    middleware finds it that writes the headers of every answer.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "required_scope", {}).get(request.method)
        user = request.user if isinstance(request.user, User) else None
        standing = governance.take_quota(
            policy="predict" if scope == Scope.PREDICT else "api",
            caller=f"user {user.pk}" if user else f"address {request.META['REMOTE_ADDR']}",
            is_member=user is not None,
        )
        request._request.standing = standing  # type: ignore[attr-defined]  # a mark of ours
        if standing is not None and standing.left < 0:
            raise governance.exceeded(standing)
        return True

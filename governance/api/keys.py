"""How the JSON door knows who knocks: API keys, and the scope each operation needs.

An operation names its scope as `required_scope = {"GET": Scope.MODELS_READ, …}`; a view without
one is closed, so a forgotten line refuses rather than admits. DRF loads this module before its
views, so it imports none of them.
"""

from typing import TYPE_CHECKING, Any

from rest_framework import authentication, exceptions, parsers, permissions
from rest_framework.request import Request

from governance import services as governance
from governance.models import ApiKey, Scope, User

if TYPE_CHECKING:
    from rest_framework.views import APIView


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer nnm_live_…`"""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme != self.keyword:
            return None
        key = governance.find_api_key(secret.strip())
        if key is None or not key.owner.is_active:
            raise exceptions.AuthenticationFailed(
                "This API key is unknown, expired or revoked; make a new one at /account/keys/."
            )
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return f'{self.keyword} realm="api"'


class ShallowJSONParser(parsers.JSONParser):
    """JSON as people write it: nesting that no reader survives is refused, not a fault of ours."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise exceptions.ParseError("JSON parse error - nested too deeply.") from error


class HasScope(permissions.BasePermission):
    """A signed-in person may do all of it; a key only what its scopes say."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scopes = getattr(view, "required_scope", None)
        if scopes is None or request.method is None:
            return False
        if request.method == "OPTIONS" or request.method not in view.allowed_methods:
            return True  # what no one may do is answered by 405, which lists what can be done
        scope = scopes.get(request.method)
        if scope is None or not request.user.is_authenticated:
            return False
        if not is_within(request, scope):
            self.message = lacking(scope)
            return False
        return True


def is_within(request: Request, scope: Scope) -> bool:
    return not isinstance(request.auth, ApiKey) or scope.value in request.auth.scopes


def lacking(scope: Scope) -> str:
    return f"This key may not do this; it needs the scope {scope.value!r}."


def require_scope(request: Request, scope: Scope) -> None:
    """Of what a body asks beyond the operation's own scope. Raises PermissionDenied."""
    if not is_within(request, scope):
        raise exceptions.PermissionDenied(lacking(scope))

"""What a person may open in so many seconds, and what every answer tells of quotas.

The JSON door counts by itself, since it learns only inside of the view whose key was sent. Files
have a quota of their own: they are large, and nobody reads hundreds in minutes. So have questions
that a page's form asks a model, as predictions of programs have: each is work, and no person asks
more than a few a second.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from config.errors import refused
from governance import services as governance
from governance.models import User

# Names of their addresses.
FILES = {
    "batch_result",
    "dataset_file",
    "dataset_rows",
    "download",
    "model_file",
    "model_here",
}
ASKING = {"deployment", "peer_try", "try", "try_model"}  # by POST
UNCOUNTED = ("/api/", "/v2", "/healthz", "/readyz", "/metrics", "/admin/")


class QuotaMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        standing = getattr(request, "standing", None)
        if standing is not None:
            for name, value in standing.headers.items():
                response[name] = value
        return response

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if request.path_info.startswith(UNCOUNTED):
            return None
        user = request.user if isinstance(request.user, User) else None
        standing = governance.take_quota(
            policy=policy_of(request),
            caller=governance.caller_of(user, request.META["REMOTE_ADDR"]),
            is_member=user is not None,
        )
        request.standing = standing  # type: ignore[attr-defined]  # a mark of ours
        if standing is None or standing.left >= 0:
            return None
        return refused(request, governance.exceeded(standing))


def policy_of(request: HttpRequest) -> str:
    name = request.resolver_match.url_name if request.resolver_match else None
    if name in FILES:
        return "files"
    return "questions" if name in ASKING and request.method == "POST" else "pages"

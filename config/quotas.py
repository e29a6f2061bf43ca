"""What a person may open in so many seconds, and what every answer tells of quotas.

The JSON door counts by itself, since it learns only inside of the view whose key was sent. Files
have a quota of their own: they are large, and nobody reads hundreds in minutes.
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
        match = request.resolver_match
        user = request.user if isinstance(request.user, User) else None
        standing = governance.take_quota(
            policy="files" if match and match.url_name in FILES else "pages",
            caller=governance.caller_of(user, request.META["REMOTE_ADDR"]),
            is_member=user is not None,
        )
        request.standing = standing  # type: ignore[attr-defined]  # a mark of ours
        if standing is None or standing.left >= 0:
            return None
        return refused(request, governance.exceeded(standing))

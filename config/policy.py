"""The Content-Security-Policy of each part of the site.

Pages allow nothing inline and nothing from elsewhere. The admin's theme is built on Alpine.js,
which evaluates expressions, so the admin alone gets a policy that allows it, from this host only.
"""

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

PAGES = {
    "default-src": [SELF],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
ADMIN = PAGES | {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}
API_PAGES = PAGES | {"style-src": [SELF, UNSAFE_INLINE]}
BY_PREFIX = {"/admin/": ADMIN, "/api/docs/": API_PAGES}


class PolicyMiddleware(CSPMiddleware):
    """Answers with the policy of the part of the site that was asked."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        for prefix, policy in BY_PREFIX.items():
            if request.path_info.startswith(prefix) and not report_only:
                parts.replace = policy
        return parts

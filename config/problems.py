"""Every code that the API answers an error with: its status, what it means and the way out.

A refusal of a service is listed by its class, whose docstring is its meaning; what Django, DRF and
the server decline themselves stands in a table here. Programs written for flow-nexus know other
codes: where one of them says the same, the problem bears it too, as `original_code`. It is a member
of its own, since `code` is already what our programs go by, and two names of one thing in one
member would be neither.
"""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from governance.services import Refusal


@dataclass(frozen=True, kw_only=True)
class Problem:
    code: str
    status: int
    meaning: str

    @property
    def original_code(self) -> str:
        return ORIGINAL.get(self.code, "")


# Beside the refusals.
DECLINED = {
    "bad_request": (400, "The request is too large or malformed; its `detail` says what is taken."),
    "invalid_parameters": (
        400,
        "Fields are missing or out of range: `invalid_parameters` names each, with the reason. "
        "Mend them and send the request again.",
    ),
    "parse_error": (400, "The body is not JSON as it says it is; send well-formed JSON."),
    "error": (400, "What was asked cannot be done as it was asked; `detail` says why."),
    "not_authenticated": (
        401,
        "Nobody is signed in and no API key was sent. Make a key at /account/keys/ and send it as "
        "`Authorization: Bearer …`.",
    ),
    "authentication_failed": (
        401,
        "The API key is unknown, expired or revoked. Make another at /account/keys/.",
    ),
    "permission_denied": (
        403,
        "The key may not do this, or its owner may not; `detail` names the scope that is missing. "
        "Make a key that has it at /account/keys/.",
    ),
    "not_found": (
        404,
        "Nothing of this id is there, or it is not yours to see. A list tells which ids there are.",
    ),
    "method_not_allowed": (405, "This address does other things; `Allow` lists them."),
    "not_acceptable": (406, "The API answers JSON; let `Accept` name it, or leave it out."),
    "body_too_slow": (408, "The body did not arrive in time; send it again, or less at once."),
    "body_too_large": (413, "The body has more bytes than are taken; send less at once."),
    "unsupported_media_type": (415, "Send JSON, and say so in `Content-Type`."),
    "server_error": (
        500,
        "Something broke on our side. It was logged under the id in `instance`; name it when you "
        "ask for help. What was begun was undone.",
    ),
    "busy": (503, "The site is busy. Nothing was changed; ask again after `Retry-After` seconds."),
    "training_failed": (
        200,
        "Not an error of a request but the end of a job, whose `status` is then `failed` and whose "
        "`error_code` and `error_message` say why. What was not used of its hold went back. Mend "
        "its configuration or its data, and train again.",
    ),
}

# What flow-nexus calls it.
ORIGINAL = {
    "insufficient_credits": "INSUFFICIENT_CREDITS",
    "invalid_config": "INVALID_ARCHITECTURE",
    "training_failed": "TRAINING_FAILED",
    "unknown_model": "MODEL_NOT_FOUND",
    "not_deployed": "MODEL_NOT_FOUND",
    "not_on_offer": "TEMPLATE_NOT_AVAILABLE",
}
# Of what is not found, by the name of the id in the address.
ORIGINAL_NOT_FOUND = {"model_id": "MODEL_NOT_FOUND", "template_id": "TEMPLATE_NOT_AVAILABLE"}


def refusals(kind: type[Refusal] = Refusal) -> dict[str, type[Refusal]]:
    """Every refusal of every app by its code; the classes themselves are the list."""
    found = {kind.code: kind}
    for inner in kind.__subclasses__():
        found |= refusals(inner)
    return found


def problems() -> dict[str, Problem]:
    """All codes there are, in their order."""
    found = {
        code: Problem(code=code, status=status, meaning=meaning)
        for code, (status, meaning) in DECLINED.items()
    } | {
        code: Problem(code=code, status=kind.status, meaning=" ".join((kind.__doc__ or "").split()))
        for code, kind in refusals().items()
    }
    return dict(sorted(found.items()))


def is_known(code: str) -> bool:
    return code in DECLINED or code in refusals()


def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's `type` points to; an original's code leads to what says the same here."""
    for ours, original in ORIGINAL.items():
        if code == original:
            return redirect("problem", code=ours)
    problem = problems().get(code)
    if problem is None:
        raise Http404
    return render(request, "problem.html", {"problem": problem})

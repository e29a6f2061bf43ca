"""Turns a refusal into an answer a person or a program can act on.

Services decline by raising `governance.services.Refusal`. Here, once for all doors, it becomes a
page with a way out, or an `application/problem+json` body (RFC 9457) with a stable `code`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import is_valid_path
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from config.problems import ORIGINAL, ORIGINAL_NOT_FOUND, is_known
from governance.api import quotas
from governance.services import Refusal, request_id

PROBLEM = "application/problem+json"
RETRY_SECONDS = 5
# What people sent is repeated to them only so far.
TEXT_LENGTH_MAX = 10_000
ENTRIES_MAX = 50


def carried(text: str) -> str:
    """Text as an answer can carry it: not endless, and without the halves of surrogate pairs that
    JSON can spell and no encoding has.
    """
    shown = text if len(text) <= TEXT_LENGTH_MAX else f"{text[:TEXT_LENGTH_MAX]}…"
    return shown.encode(errors="backslashreplace").decode()


def body(*, status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The members of RFC 9457, and `error`, which the Open Inference Protocol reads."""
    return (
        {
            # RFC 9457: `about:blank` where the status says it all.
            "type": f"{settings.SITE_URL}/problems/{code}/" if is_known(code) else "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": carried(detail),
            "error": carried(detail),
            "instance": request_id(),
        }
        | ({"original_code": ORIGINAL[code]} if code in ORIGINAL else {})
        | members
    )


def refusal_body(refusal: Refusal) -> dict[str, Any]:
    members = refusal.members
    if refusal.invalid_parameters:
        members = members | {"invalid_parameters": refusal.invalid_parameters}
    return body(status=refusal.status, code=refusal.code, detail=str(refusal), **members)


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    headers = {"Idempotency-Replayed": "true"} if refusal.is_repeated else {}
    if refusal.retry_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_seconds)
    return headers


def refusal_response(refusal: Refusal) -> JsonResponse:
    """To a program, where neither DRF nor a page answers."""
    return JsonResponse(
        refusal_body(refusal),
        status=refusal.status,
        headers=refusal_headers(refusal),
        content_type=PROBLEM,
    )


def invalid_parameters(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested errors as a flat list of {field, reason}."""
    if isinstance(detail, dict):
        return [
            entry
            for name, inner in detail.items()
            for entry in invalid_parameters(inner, f"{path}.{name}" if path else str(name))
        ]
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        return [
            entry
            for index, inner in enumerate(detail)
            for entry in invalid_parameters(inner, f"{path}[{index}]")
        ]
    reasons = detail if isinstance(detail, list) else [detail]
    return [{"field": carried(path), "reason": carried(str(reason))} for reason in reasons]


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler."""
    error = quotas.counted(error, context["request"])
    if isinstance(error, Refusal):
        return Response(
            refusal_body(error),
            status=error.status,
            headers=refusal_headers(error),
            content_type=PROBLEM,
        )
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        entries = invalid_parameters(response.data)[:ENTRIES_MAX]
        detail = "; ".join(f"{entry['field']}: {entry['reason']}" for entry in entries)
        response.data = body(
            status=response.status_code,
            code="invalid_parameters",
            detail=detail,
            invalid_parameters=entries,
        )
    else:
        code = getattr(error, "default_code", "error")
        if isinstance(error, Http404):
            code = "not_found"
        elif isinstance(error, PermissionDenied):
            code = "permission_denied"
        detail = str(response.data.get("detail", "")) if isinstance(response.data, dict) else ""
        members = original_not_found(context) if code == "not_found" else {}
        response.data = body(status=response.status_code, code=code, detail=detail, **members)
    response.content_type = PROBLEM
    return response


def original_not_found(context: dict[str, Any]) -> dict[str, str]:
    """By what the address names; the last id of it is what was looked for."""
    named = [ORIGINAL_NOT_FOUND[name] for name in context["kwargs"] if name in ORIGINAL_NOT_FOUND]
    return {"original_code": named[-1]} if named else {}


class RefusalMiddleware:
    """Answers a refusal that a page did not turn into a form error, and a method that a page does
    not know; names each request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in unquote(request.META["QUERY_STRING"]):
            # No text in the database has one, so none is looked for; forms say so by themselves.
            raise SuspiciousOperation("A NUL character stands in the address.")
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            context = {"allowed": response["Allow"].split(", "), "request_id": request_id()}
            response.content = render_to_string("405.html", context, request)
        response["X-Request-ID"] = request_id()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refusal):
            return None
        return refused(request, error)


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    context = {"refusal": refusal, "back": way_back(request), "request_id": request_id()}
    response = render(request, "refused.html", context, status=refusal.status)
    for name, value in refusal_headers(refusal).items():
        response[name] = value
    return response


def way_back(request: HttpRequest) -> str:
    """The page on which it was asked; where that is not known, the nearest above this address."""
    came = request.headers.get("Referer", "")
    is_here = request.method == "GET" and came == request.build_absolute_uri()
    if not is_here and url_has_allowed_host_and_scheme(came, {request.get_host()}):
        return came
    above = request.path_info.rstrip("/")
    while above:
        above = above.rpartition("/")[0]
        if is_valid_path(f"{above}/"):
            return f"{above}/"
    return ""


def wants_json(path: str) -> bool:
    return path.startswith(("/api/", "/v2/")) or path == "/mcp"


def answer(path: str, *, page: str, status: int, code: str, detail: str) -> HttpResponse:
    """A problem for programs and, for people, the page: without a request, whose context would ask
    the database, and without that there may be nothing to ask.
    """
    if wants_json(path):
        problem = body(status=status, code=code, detail=detail)
        return JsonResponse(problem, status=status, content_type=PROBLEM)
    title = HTTPStatus(status).phrase.capitalize()
    context = {"status": status, "title": title, "detail": detail, "request_id": request_id()}
    return HttpResponse(render_to_string(page, context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself declines, such as a body of more than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""
    detail = (
        "The request is too large or malformed; send at most "
        f"{settings.REQUEST_BYTES_MAX:,} bytes, and no NUL character, as this site's pages do."
    )
    return answer(request.path_info, page="400.html", status=400, code="bad_request", detail=detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if wants_json(request.path_info):
        detail = (
            f"Nothing is served at {request.path_info}. The operations are listed at /api/docs/."
        )
        return answer(
            request.path_info, page="404.html", status=404, code="not_found", detail=detail
        )
    return render(request, "404.html", {"request_id": request_id()}, status=404)


def busy(path: str) -> HttpResponse:
    """To who comes when the line before the threads (`config.threads`) is full."""
    detail = f"The site is busy; try again in {RETRY_SECONDS} seconds. Nothing was changed."
    response = answer(path, page="503.html", status=503, code="busy", detail=detail)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def crowded(path: str, refusal: Refusal) -> HttpResponse:
    """To who asks what too many ask already."""
    if wants_json(path):
        return refusal_response(refusal)
    page, code, detail = "503.html", refusal.code, str(refusal)
    response = answer(path, page=page, status=refusal.status, code=code, detail=detail)
    for name, value in refusal_headers(refusal).items():
        response[name] = value
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "Something broke on our side; it was logged under the id in `instance`."
    return answer(
        request.path_info, page="500.html", status=500, code="server_error", detail=detail
    )

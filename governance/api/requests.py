"""What operations share: who called, and acting once per `Idempotency-Key`."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from governance import services as governance
from governance.models import User

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Makes the call safe to repeat: the same key with the same body acts once.",
)
CURSOR = OpenApiParameter(
    "cursor", str, description="Where to read on; take it from the `next` of the last answer."
)
KEY_LENGTH_MAX = 200
PAGE_LENGTH_MAX = 100
Row = TypeVar("Row", bound=models.Model)


def caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def once(request: Request, act: Callable[[], tuple[int, Any]], payload: Any = None) -> Response:
    """Act under the request's `Idempotency-Key`, if it carries one. `payload` is what tells one
    body from another where it holds files.
    """
    key = request.headers.get("Idempotency-Key", "").strip('" ')
    if len(key) > KEY_LENGTH_MAX:
        raise exceptions.ValidationError(
            {"Idempotency-Key": f"has {len(key)} letters; at most {KEY_LENGTH_MAX}."}
        )
    if not key:
        status, body = act()
        return Response(body, status=status)
    status, body, replayed = governance.answer_once(
        user=caller(request),
        route=request.path,
        key=key,
        payload=request.data if payload is None else payload,
        act=act,
    )
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(body, status=status, headers=headers)


def page(
    request: Request,
    rows: models.QuerySet[Row],
    *,
    ordering: tuple[str, ...] = ("-created_at",),
    length: int = PAGE_LENGTH_MAX,
) -> tuple[list[Row], str | None]:
    """The rows of a page, newest first, and the address of the next one, if there is one.

    Pages follow a row and not a number, so they neither skip nor repeat while rows are added.
    """
    pages = CursorPagination()
    pages.ordering = ordering
    pages.page_size = length
    found = pages.paginate_queryset(rows, request)
    return list(found or []), pages.get_next_link()


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass has no types
    target_class = "governance.api.keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}

"""How an answer is given: a page of a list, one resource with its tag, or nothing new.

Serializers write answers and describe them, so that the two cannot differ. One of a row answers all
its fields; in any other, what is not always there is `required=False`.

A list has `limit` and `cursor`, `count` and `next`, and `Link` says the same for programs that know
no field of ours. A tag tells one state of a resource from another: a list's is weak, since it says
that the rows tell the same, and one resource's is strong, for `If-Match` of a change to be held to.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models
from django.utils.http import parse_etags
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from governance import services as governance
from governance.api.schema import PAGE_LENGTH_MAX

TAG_LENGTH = 32  # letters of SHA-256: 128 bits, so that no two states share one
Row = TypeVar("Row", bound=models.Model)


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,6})?$"})
class Millionths(serializers.Field[int, Any, str, int]):
    """What is stored in millionths, such as micro-credits, as an exact decimal number in text."""

    def to_representation(self, value: int) -> str:
        return f"{(Decimal(value) / 1_000_000).normalize():f}"


def told(schema: dict[str, Any], **kwargs: Any) -> serializers.JSONField:
    """What is stored as JSON, as it stands; this schema tells of what."""
    kind = type("Told", (serializers.JSONField,), {})
    field: serializers.JSONField = extend_schema_field(schema)(kind)(**kwargs)
    return field


@extend_schema_field({"type": "number"})
class Seconds(serializers.Field[timedelta, Any, float, timedelta]):
    """How long something takes or took."""

    def to_representation(self, value: timedelta) -> float:
        return value.total_seconds()


class Limit(serializers.Serializer[Any]):
    limit = serializers.IntegerField(
        default=PAGE_LENGTH_MAX, min_value=1, max_value=PAGE_LENGTH_MAX
    )


class Page(serializers.Serializer[Any]):
    """Rows of a list."""

    rows_name = ""

    count = serializers.IntegerField(help_text="How many rows this page has.")
    next = serializers.URLField(
        allow_null=True, help_text="The address of the next page; null on the last one."
    )


def page_of(name: str, row: type[serializers.BaseSerializer[Any]]) -> type[Page]:
    """A page whose rows stand under this name."""
    noun = row.__name__.removesuffix("Serializer")
    return type(f"{noun}Page", (Page,), {name: row(many=True), "rows_name": name})


def page(
    request: Request,
    rows: models.QuerySet[Row],
    *,
    ordering: tuple[str, ...] = ("-created_at",),
    length: int | None = None,
) -> tuple[list[Row], str | None]:
    """The rows of a page, newest first, and the address of the next one, if there is one.

    Pages follow a row and not a number, so they neither skip nor repeat while rows are added.
    """
    if length is None:
        asked = Limit(data={k: v for k, v in request.query_params.items() if k == "limit"})
        asked.is_valid(raise_exception=True)
        length = asked.validated_data["limit"]
    pages = CursorPagination()
    pages.ordering = ordering
    pages.page_size = length
    try:
        found = pages.paginate_queryset(rows, request)
    except exceptions.NotFound as error:
        reason = "is not one we gave; take it from `next`, or leave it out for the newest."
        raise exceptions.ValidationError({"cursor": reason}) from error
    return list(found or []), pages.get_next_link()


def paged(
    request: Request,
    kind: type[Page],
    found: Sequence[Any],
    following: str | None,
    **more: Any,
) -> Response:
    """The page of these rows, or 304 where the caller has it already. `more` is what else the kind
    of page tells.
    """
    body = kind({kind.rows_name: found, "count": len(found), "next": following} | more).data
    return linked(tagged(request, body, is_weak=True), following)


def linked(response: Response, following: str | None) -> Response:
    if following:
        response["Link"] = f'<{following}>; rel="next"'
    return response


def listed(
    request: Request,
    kind: type[Page],
    rows: models.QuerySet[Row],
    *,
    ordering: tuple[str, ...] = ("-created_at",),
) -> Response:
    """A page of these rows, as the caller's `limit` and `cursor` ask for it."""
    found, following = page(request, rows, ordering=ordering)
    return paged(request, kind, found, following)


def tag(body: Any) -> str:
    """What this state of a resource is called."""
    return f'"{governance.fingerprint(body)[:TAG_LENGTH]}"'


def tagged(request: Request, body: Any, *, is_weak: bool = False) -> Response:
    """What is there, or 304 where the caller has it already."""
    name = f"W/{tag(body)}" if is_weak else tag(body)
    headers = {"ETag": name, "Cache-Control": "private, no-cache"}
    if is_known(request, name):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)


def is_known(request: Request, name: str) -> bool:
    """`If-None-Match` compares weakly, as RFC 9110 has it."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or name.removeprefix("W/") in {one.removeprefix("W/") for one in known}

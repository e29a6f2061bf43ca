"""What operations share: who called, acting once per `Idempotency-Key`, and changing only what the
caller saw.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models
from django.utils.http import parse_etags
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from governance import services as governance
from governance.api.answers import page, tag
from governance.api.schema import CURSOR, IDEMPOTENCY_KEY, PAGE_LENGTH_MAX
from governance.models import User

__all__ = ["CURSOR", "IDEMPOTENCY_KEY", "PAGE_LENGTH_MAX", "caller", "changed", "once", "page"]

KEY_LENGTH_MAX = 200
Row = TypeVar("Row", bound=models.Model)


class PreconditionRequired(governance.Refusal):
    """A change says which state it is meant for, so that nobody's change is lost: get the resource,
    and send its `ETag` as `If-Match`; or send `If-Match: *`, to act on whatever is there.
    """

    status = 428


class PreconditionFailed(governance.Refusal):
    """Somebody changed it since the caller saw it: get it again, and decide anew."""

    status = 412


def caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def idempotency_key(request: Request) -> str:
    """As the caller chose it, or nothing."""
    key = request.headers.get("Idempotency-Key", "").strip('" ')
    reason = ""
    if len(key) > KEY_LENGTH_MAX:
        reason = f"has {len(key)} letters; at most {KEY_LENGTH_MAX}."
    elif "\0" in key:  # which the database keeps in no text
        reason = "holds a NUL character."
    if reason:
        raise exceptions.ValidationError({"Idempotency-Key": reason})
    return key


def once(request: Request, act: Callable[[], tuple[int, Any]], payload: Any = None) -> Response:
    """Act under the request's `Idempotency-Key`, if it carries one. `payload` is what tells one
    body from another where it holds files.
    """
    key = idempotency_key(request)
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


def changed(
    request: Request,
    *,
    find: Callable[[], Row],
    tell: Callable[[Row], Any],
    act: Callable[[Row], tuple[int, Any]],
) -> Response:
    """Act on the row that is found, if what it tells is still what the caller saw: `If-Match`
    carries the tag of it. Changes of one resource go one at a time, so that of two callers who saw
    the same only the first changes it.
    """
    seen = parse_etags(request.headers.get("If-Match", ""))
    find()  # who may not see it is told no more than that
    if not seen:
        raise PreconditionRequired(
            "If-Match: is missing; get the resource and send its ETag here, or * to act on "
            "whatever is there."
        )

    def checked() -> tuple[int, Any]:
        row = find()
        if "*" not in seen and tag(tell(row)) not in seen:
            raise PreconditionFailed(
                f"If-Match: {', '.join(seen)[:80]} is not what is there any more; get it again, "
                "and decide anew.",
            )
        return act(row)

    return once(request, lambda: governance.in_turn(request.path, checked))

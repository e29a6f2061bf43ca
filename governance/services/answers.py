"""One answer per idempotency key."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.files.base import File
from django.db import transaction

from governance.models import Answer, User
from governance.services.refusals import Refusal
from governance.services.turns import take_turn, try_turn


class KeyReused(Refusal):
    """The same idempotency key with other content: a new request needs a new key."""

    status = 422


class KeyInUse(Refusal):
    """The first request with this idempotency key is still being answered; it will act, and the
    same request, sent again after `Retry-After`, gets its answer.
    """


EXPLAINED_BY_CONTENT = (400, 422)


def fingerprint(payload: Any) -> str:
    """SHA-256 of the canonical JSON of a request's content."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(file: File[bytes]) -> str:
    """SHA-256 of what a file holds, which is left at its beginning and never in memory whole."""
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def answer_once(
    *,
    user: User,
    route: str,
    key: str,
    payload: Any,
    act: Callable[[], tuple[int, Any]],
    waits: bool = False,
) -> tuple[int, Any, bool]:
    """Act, or repeat the answer that this key already got; the last member says which.

    While the first request with a key is still at it, a second one is told so, or `waits` for its
    answer: a program asks again, and a person who pressed twice wants to see what came of it. A
    refusal that the content alone explains would be the same every time, so it is kept and repeated
    as well. Any other rolls back with everything else, and the same key may try again after it:
    credits may have come, or a place have become free.
    """
    with transaction.atomic():
        turn = f"{user.pk}/{route}/{key}"
        if waits:
            take_turn(turn)
        elif not try_turn(turn):
            raise KeyInUse(
                f"Idempotency-Key {key!r}: a request with this key is still being answered; send "
                "the same again for its answer.",
                retry_seconds=1,
            )
        asked = {"user": user, "route": route, "key": key}
        content = fingerprint(payload)
        answer = Answer.objects.filter(**asked).first()
        if answer is not None:
            return repeated(answer, content)
        try:
            with transaction.atomic():
                status, body = act()
            declined = None
        except Refusal as refusal:
            if refusal.status not in EXPLAINED_BY_CONTENT:
                raise
            status, body, declined = refusal.status, refusal_to_json(refusal), refusal
        Answer.objects.create(**asked, fingerprint=content, status=status, body=body)
    if declined is not None:
        raise declined
    return status, body, False


def repeated(answer: Answer, content: str) -> tuple[int, Any, bool]:
    if answer.fingerprint != content:
        raise KeyReused(
            f"Idempotency-Key {answer.key!r} was used with other content; send a new key with it."
        )
    if answer.status in EXPLAINED_BY_CONTENT:
        raise refusal_of_json(answer.status, answer.body)
    return answer.status, answer.body, True


def refusal_to_json(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "detail": str(refusal),
        "invalid_parameters": refusal.invalid_parameters,
        "members": refusal.members,
    }


def refusal_of_json(status: int, body: dict[str, Any]) -> Refusal:
    refusal = Refusal(
        body["detail"], invalid_parameters=body["invalid_parameters"], members=body["members"]
    )
    refusal.status, refusal.code, refusal.is_repeated = status, body["code"], True
    return refusal

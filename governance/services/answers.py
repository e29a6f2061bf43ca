"""One answer per idempotency key."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.files.base import File
from django.db import transaction

from governance.models import Answer, User
from governance.services.refusals import Refusal
from governance.services.turns import take_turn


class KeyReused(Refusal):
    """The same idempotency key with other content."""

    status = 422


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


@transaction.atomic
def answer_once(
    *, user: User, route: str, key: str, payload: Any, act: Callable[[], tuple[int, Any]]
) -> tuple[int, Any, bool]:
    """Act, or repeat the answer that this key already got; the last member says which.

    A second request with the same key waits for the first, and then finds its answer. A refusal
    rolls back with everything else, so the same key may try again after it.
    """
    content = fingerprint(payload)
    take_turn(f"{user.pk}/{route}/{key}")
    answer = Answer.objects.filter(user=user, route=route, key=key).first()
    if answer is not None:
        if answer.fingerprint != content:
            raise KeyReused(
                f"Idempotency-Key {key!r} was used with other content; send a new key with it."
            )
        return answer.status, answer.body, True
    status, body = act()
    Answer.objects.create(
        user=user, route=route, key=key, fingerprint=content, status=status, body=body
    )
    return status, body, False

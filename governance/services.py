"""What may be asked of governance: record, roles, keys, one answer per key, hide and restore.

`Refusal` is how every service of every app says no: aloud, with a text fit for the person who
asked. `config.errors` turns it into a page or a problem+json answer.
"""

import hashlib
import json
import secrets
import string
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.core.files.base import File
from django.db import connection, models, transaction
from django.db.models.functions import Now

from governance.models import Answer, ApiKey, AuditEntry, Moderated, Role, RoleGrant, Scope, User

HIDING_ROLES = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.ADMIN)
DESK_ROLES = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.FINANCE, Role.ADMIN)  # see the admin
KEY_ALPHABET = string.ascii_letters + string.digits
KEY_KIND = "nnm_live"


class Refusal(Exception):
    """A service declines; the text says what, why and the way out.

    `status` is the HTTP status of the answer, `code` (the class's name in snake case) its name.
    What passes by itself says after how many seconds to ask again (`retry_seconds`), and `see` is
    the address where a person can watch it; `members` is the same for programs.
    """

    status = 409
    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        invalid_parameters: Sequence[Mapping[str, str]] = (),
        retry_seconds: int | None = None,
        see: str = "",
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.invalid_parameters = list(invalid_parameters)
        self.retry_seconds = retry_seconds
        self.see = see
        self.members = dict(members or {})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__
        ).lstrip("_")


class NotAllowed(Refusal):
    """This person may not do this to that; the text says who may, or what is missing."""

    status = 403


class KeyReused(Refusal):
    """The same idempotency key with other content."""

    status = 422


# The audit trail


def request_id() -> str:
    """The id that the answer, the logs and the rows of this request, or this work, carry."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def record(
    *,
    actor: User | None,
    verb: str,
    subject: models.Model,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write down who did what to which row, in the transaction that does it."""
    return AuditEntry.objects.create(
        actor=actor,
        verb=verb,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        details=dict(details or {}),
        request_id=request_id(),
    )


def verify_audit() -> list[str]:
    """Recompute the whole chain in the database; each line names a break and where it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT place, fault FROM governance_audit_faults()")
        return [f"entry {place}: {fault}" for place, fault in cursor.fetchall()]


# Roles


@transaction.atomic
def grant_role(*, actor: User | None, user: User, role: Role) -> RoleGrant:
    if actor is not None and not actor.has_role(Role.ADMIN):
        raise NotAllowed("Only an administrator may give roles.")
    grant, created = RoleGrant.objects.get_or_create(
        user=user, role=role, defaults={"granted_by": actor}
    )
    if created:
        if role in DESK_ROLES:
            User.objects.filter(pk=user.pk).update(is_staff=True)
        record(actor=actor, verb="grant_role", subject=user, details={"role": role.value})
    return grant


def require_role(user: User, *roles: Role) -> None:
    if not user.has_role(*roles):
        names = " or ".join(role.label.lower() for role in roles)
        raise NotAllowed(f"This needs the role {names}; ask an administrator for it.")


# People


@transaction.atomic
def close_account(*, actor: User, user: User, reason: str) -> User:
    """Nobody signs in or calls by this account any more; what it made and owns stays."""
    require_role(actor, Role.ADMIN)
    if actor.pk == user.pk:
        raise NotAllowed("Nobody closes their own account here; ask another administrator.")
    if not reason.strip():
        raise Refusal("Say why: the reason is written down.")
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        raise Refusal("This account is already closed.")
    record(actor=actor, verb="close_account", subject=user, details={"reason": reason})
    user.refresh_from_db()
    return user


@transaction.atomic
def reopen_account(*, actor: User, user: User) -> User:
    require_role(actor, Role.ADMIN)
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        raise Refusal("This account is open.")
    record(actor=actor, verb="reopen_account", subject=user)
    user.refresh_from_db()
    return user


# Keys


def _checksum(text: str) -> str:
    """Six letters by which a scanner knows a real key without asking us."""
    number = zlib.crc32(text.encode())
    letters = []
    for _ in range(6):
        number, digit = divmod(number, len(KEY_ALPHABET))
        letters.append(KEY_ALPHABET[digit])
    return "".join(letters)


@transaction.atomic
def create_api_key(*, owner: User, name: str, scopes: Sequence[Scope]) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which cannot be shown again.

    The secret carries 40 letters of 62, about 238 bits, so a fast hash suffices to store it.
    """
    if not scopes:
        raise Refusal("Choose at least one thing the key may do.")
    prefix = "".join(secrets.choice(KEY_ALPHABET) for _ in range(8))
    stem = f"{KEY_KIND}_{prefix}_" + "".join(secrets.choice(KEY_ALPHABET) for _ in range(40))
    secret = stem + _checksum(stem)
    key = ApiKey.objects.create(
        owner=owner,
        name=name,
        prefix=prefix,
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=[scope.value for scope in scopes],
    )
    record(actor=owner, verb="create_api_key", subject=key, details={"scopes": key.scopes})
    return key, secret


@transaction.atomic
def revoke_api_key(*, owner: User, key: ApiKey) -> ApiKey:
    revoked = ApiKey.objects.of(owner).filter(pk=key.pk, revoked_at=None).update(revoked_at=Now())
    if not revoked:
        raise Refusal("This key is already revoked.")
    record(actor=owner, verb="revoke_api_key", subject=key)
    key.refresh_from_db()
    return key


def find_api_key(secret: str) -> ApiKey | None:
    """The usable key with this secret.

    Its use is noted at most once a minute, so that a busy key is not a hot row.
    """
    parts = secret.split("_")
    if len(parts) != 4 or _checksum(secret[:-6]) != secret[-6:]:
        return None
    key = ApiKey.objects.usable().select_related("owner").filter(prefix=parts[2]).first()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if key is None or not secrets.compare_digest(key.secret_sha256, digest):
        return None
    minute = models.Value(timedelta(minutes=1), output_field=models.DurationField())
    stale = models.Q(last_used_at=None) | models.Q(last_used_at__lt=Now() - minute)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())
    return key


# Turns


def take_turn(name: str) -> None:
    """Past here goes one transaction at a time that says this name; the others wait for its end.

    For rows that are not there yet, and so cannot be locked: who comes second finds the first's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


# One answer per key


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


# Moderation


@transaction.atomic
def hide(*, actor: User, subject: Moderated, reason: str) -> None:
    require_role(actor, *HIDING_ROLES)
    if not reason.strip():
        raise Refusal("Say why: the reason is shown to the author.")
    subject.hide(reason)
    record(actor=actor, verb="hide", subject=subject, details={"reason": reason})


@transaction.atomic
def restore(*, actor: User, subject: Moderated) -> None:
    require_role(actor, *HIDING_ROLES)
    subject.restore()
    record(actor=actor, verb="restore", subject=subject)

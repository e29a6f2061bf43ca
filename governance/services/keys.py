"""API keys: made, revoked, and found by the secret that somebody shows."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Sequence
from datetime import timedelta

from django.db import models, transaction
from django.db.models.functions import Now

from governance.models import ApiKey, Scope, Statement, User
from governance.services.audit import record
from governance.services.refusals import Refusal

KEY_ALPHABET = string.ascii_letters + string.digits
KEY_KIND = "nnm_live"


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


USABLE = Statement(
    """
    SELECT {0}, {1},
        t0.last_used_at IS NULL OR t0.last_used_at < statement_timestamp() - interval '1 minute'
    FROM governance_apikey t0 JOIN governance_user t1 ON t1.id = t0.owner_id
    WHERE t0.prefix = %s AND t0.revoked_at IS NULL
        AND (t0.expires_at IS NULL OR t0.expires_at > statement_timestamp())
    """,
    (ApiKey, User),
)


def find_api_key(secret: str) -> ApiKey | None:
    """The usable key with this secret.

    Its use is noted at most once a minute, so that a busy key is not a hot row.
    """
    parts = secret.split("_")
    if len(parts) != 4 or _checksum(secret[:-6]) != secret[-6:]:
        return None
    found = USABLE.first(parts[2])
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if found is None or not secrets.compare_digest(found[0].secret_sha256, digest):
        return None
    key: ApiKey = found[0]
    key.owner, is_stale = found[1:]
    if is_stale:  # by the database's clock
        minute = models.Value(timedelta(minutes=1), output_field=models.DurationField())
        stale = models.Q(last_used_at=None) | models.Q(last_used_at__lt=Now() - minute)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())
    return key

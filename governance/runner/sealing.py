"""Secrets that we must read again, and that a copy of the database alone must not give away.

The key is made of `SECRET_KEY`, which stands outside the database. Whoever changes it keeps the old
one in `SECRET_KEY_FALLBACKS` for as long as rows are sealed with it.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac


class SealBroken(Exception):
    """None of our keys opens this."""


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [salted_hmac("governance.sealing", "", key, algorithm="sha256") for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(each.digest())) for each in digests])


def seal(secret: str) -> str:
    return _box().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken("Its secret can no longer be read here; make a new one.") from error

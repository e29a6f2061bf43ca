"""How every service of every app says no: aloud, with a text fit for the person who asked.

`config.errors` turns it into a page or a problem+json answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any


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
        self.is_repeated = False  # as the answer of an idempotency key

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__
        ).lstrip("_")


class NotAllowed(Refusal):
    """This person may not do this to that; the text says who may, or what is missing."""

    status = 403

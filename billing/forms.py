"""The shape of what is asked about a wallet."""

from django.http import QueryDict

from governance import services as governance


class InvalidCursor(governance.Refusal):
    """The place to read on from is not one we gave."""

    status = 400


def cursor(query: QueryDict, name: str = "before") -> int | None:
    """The id that `before` names, or None for the newest movements. Raises `InvalidCursor`."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        reason = "is not a movement's number; take it from `next`, or leave it out for the newest"
        raise InvalidCursor(
            f"{name}: {text[:40]!r} {reason}.",
            invalid_parameters=[{"field": name, "reason": reason}],
        )
    return int(text)

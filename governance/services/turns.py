"""Taking turns."""

from collections.abc import Callable
from typing import TypeVar

from django.db import connection, transaction

Result = TypeVar("Result")


def take_turn(name: str) -> None:
    """Past here goes one transaction at a time that says this name; the others wait for its end.

    For rows that are not there yet, and so cannot be locked: who comes second finds the first's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def try_turn(name: str) -> bool:
    """The same for who would rather be told that another transaction has the turn than wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


@transaction.atomic
def in_turn(name: str, act: Callable[[], Result]) -> Result:
    """What comes of acting, one at a time of those who say this name, all of it or nothing."""
    take_turn(name)
    return act()

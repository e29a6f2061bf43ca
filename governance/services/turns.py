"""Taking turns."""

from django.db import connection


def take_turn(name: str) -> None:
    """Past here goes one transaction at a time that says this name; the others wait for its end.

    For rows that are not there yet, and so cannot be locked: who comes second finds the first's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])

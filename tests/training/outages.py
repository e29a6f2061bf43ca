"""What fails around us, made to fail for real."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def database_fails_at(table: str) -> Iterator[None]:
    """Inside, PostgreSQL stores nothing in this table; it says OperationalError."""
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE 'the disk is full' USING ERRCODE = 'disk_full'; END $$
        """)
        cursor.execute(
            f"CREATE TRIGGER fails BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fails()"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER fails ON {table}")
        cursor.execute("DROP FUNCTION fails")

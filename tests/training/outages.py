"""What fails around us, made to fail for real."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F

from training.models import Job, Work
from training.runner import blobs, leases


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


@contextmanager
def disk_is_slow(monkeypatch, kind: type[Work] = Job) -> Iterator[list[bool]]:
    """Inside, each piece that is written takes two thirds of a lease. After each: whether a worker
    at work of this kind is taken for dead.
    """
    rows = kind._default_manager
    sync, is_taken_for_dead = os.fsync, []

    def sync_for_long(descriptor):
        sync(descriptor)
        length = timedelta(seconds=settings.TRAINING_LEASE_SECONDS * 2 / 3)
        rows.update(lease_until=F("lease_until") - length)
        is_taken_for_dead.append(rows.filter(leases.stalled()).exists())

    with monkeypatch.context() as patch:
        patch.setattr(blobs, "PIECE_BYTES", 4096)
        patch.setattr(leases, "RENEW_SECONDS", 0.0)
        patch.setattr(os, "fsync", sync_for_long)
        yield is_taken_for_dead

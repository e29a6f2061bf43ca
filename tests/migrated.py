"""A database with every migration applied, of which the tests' databases are copies.

Migrating takes a processor half a minute, copying takes a second. It is kept between runs and made
anew when a migration changes.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from psycopg.sql import SQL, Identifier

from config import embedded

PREFIX = "migrated_"


def database_url(name: str) -> str:
    """The address of the tests' server, with one of its databases."""
    address = os.environ.get("DATABASE_URL") or embedded.database_url(settings.DATA_DIR)
    return urlsplit(address)._replace(path=f"/{name}").geturl()


def name() -> str:
    """Another one for other migrations, of ours or of the packages that are installed."""
    digest = hashlib.sha256((settings.BASE_DIR / "config/locks/run.txt").read_bytes())
    for path in sorted(settings.BASE_DIR.glob("*/migrations/*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return PREFIX + digest.hexdigest()[:16]


def database() -> str:
    """Its name, once it is there. Renamed at the end: one that is half made has another name."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with (
        (settings.DATA_DIR / "migrated.lock").open("w") as lock,
        psycopg.connect(database_url("postgres"), autocommit=True) as server,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the processes of a parallel run makes it
        found = server.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [PREFIX + "%"]
        )
        there = {row[0] for row in found}
        if name() not in there:
            for other in there:
                server.execute(SQL("DROP DATABASE {}").format(Identifier(other)))
            make(server)
    return name()


def make(server: psycopg.Connection) -> None:
    half, whole = PREFIX + "half", name()
    server.execute(SQL("CREATE DATABASE {}").format(Identifier(half)))
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url(half), "DATA_DIR": str(settings.DATA_DIR)},
        check=True,
    )
    server.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(*map(Identifier, (half, whole))))

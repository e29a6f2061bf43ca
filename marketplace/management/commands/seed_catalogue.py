"""Invents listings by the hundred thousand, to measure the catalogue with.

They go to a schema of their own that no page reads, so none can be taken for a measured model; the
names of their authors say `generated`. `bench_catalogue` measures, `--drop` removes them.
"""

import json
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from marketplace.runner import inventions, listings


class Command(BaseCommand):
    help = "Invent listings in a schema of their own, to measure the catalogue with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, default=1_000_000)
        parser.add_argument("--seed", type=int, default=0, help="other seed, other rows")
        parser.add_argument("--drop", action="store_true", help="remove them instead")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.SECURE:
            raise CommandError("This site is public; invent listings on a machine for measuring.")
        if options["rows"] < 1:
            raise CommandError("--rows: must be 1 or more.")
        if options["drop"]:
            inventions.drop()
            self.stdout.write("The invented listings are gone.")
            return
        found = self.seed(options["rows"], options["seed"])
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            self.stdout.write(
                f"{found['rows']:,} invented listings after {found['seconds']:.0f} s; measure with "
                "manage.py bench_catalogue."
            )

    def seed(self, rows: int, seed: int) -> dict[str, Any]:
        call_command("migrate", verbosity=0, interactive=False)
        began = time.monotonic()
        later = inventions.make_tables()
        for written in inventions.copy_rows(rows, seed):
            if written % 100_000 == 0:
                self.stderr.write(f"{written:,} rows after {time.monotonic() - began:.0f} s")
        copied = time.monotonic() - began
        inventions.make_indexes(later)
        with connection.cursor() as cursor:
            for table in inventions.TABLES:
                cursor.execute(f"VACUUM ANALYZE {inventions.SCHEMA}.{table}")
        with inventions.asked_there():
            listings.sample()
            listings.learn()
        seconds = time.monotonic() - began
        return {"rows": rows, "seed": seed, "copy_seconds": copied, "seconds": seconds}

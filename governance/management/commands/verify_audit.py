"""Recomputes the audit chain and says where it was tampered with, if it was."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance import services as governance
from governance.models import AuditEntry


class Command(BaseCommand):
    help = (
        "Recompute the audit chain; exit 1 and name the place if an entry was altered or removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = governance.verify_audit()
        entries = AuditEntry.objects.count()
        if options["json"]:
            self.stdout.write(json.dumps({"entries": entries, "faults": faults}))
        elif not faults:
            self.stdout.write(f"The audit chain of {entries:,} entries is whole.")
        if faults:
            raise CommandError("\n".join(faults))

"""Recounts the ledger: exit code 0 when every number follows from its legs, 1 when one does not."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing import services as billing


class Command(BaseCommand):
    help = "Recount the ledger from its legs and print what does not fit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = billing.ledger_faults()
        if options["json"]:
            self.stdout.write(json.dumps({"balanced": not faults, "faults": faults}))
        elif faults:
            self.stdout.write("\n".join(faults))
        else:
            self.stdout.write("The ledger is balanced: every number follows from its legs.")
        if faults:
            sys.exit(1)

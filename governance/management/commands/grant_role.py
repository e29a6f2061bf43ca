"""Gives a person a role: the first administrator has nobody else to ask."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance import services as governance
from governance.models import Role, User


class Command(BaseCommand):
    help = "Give a person a role, and write it down."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"{options['username']}: nobody here has this name.")
        governance.grant_role(actor=None, user=user, role=Role(options["role"]))
        self.stdout.write(f"{user} is {Role(options['role']).label.lower()}.")

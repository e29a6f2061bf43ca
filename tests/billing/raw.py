"""A client of the database that goes around every service, to see what the database itself refuses.

Raw SQL and the ORM's own verbs, since a rule that only services keep is no rule.
"""

import pytest
from django.db import IntegrityError, connection

from billing.models import Account, Leg, Stream, Transfer


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else None


def refused(reason):
    """The block is refused at once or at COMMIT, and leaves nothing behind."""
    return pytest.raises(IntegrityError, match=reason)


def commit():
    """Run what waits for COMMIT."""
    connection.check_constraints()


def account(kind, owner=None):
    return Account.objects.get_or_create(kind=kind, owner=owner)[0]


def stream(author, buyer):
    return Stream.objects.create(author=author, buyer=buyer, source="template/1")


def transfer(kind="issue", key="raw", **values):
    return Transfer.objects.create(kind=kind, key=key, memo="raw", **values)


def legs(transfer, amounts):
    for account, amount in amounts.items():
        Leg.objects.create(transfer=transfer, account=account, amount_microcredits=amount)

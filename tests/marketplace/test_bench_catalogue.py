"""Measuring the catalogue on rows that were invented for it."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace.models import Listing


def said(*command) -> dict[str, object]:
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


@pytest.mark.django_db(transaction=True)
def test_rows_are_invented_measured_and_removed(settings):
    with pytest.raises(CommandError, match="seed_catalogue"):
        call_command("bench_catalogue")
    assert said("seed_catalogue", "--rows", "500", "--json")["rows"] == 500
    found = said("bench_catalogue", "--rounds", "1", "--json")
    assert found["rows"] == 500
    assert found["queries_most"] <= 12
    assert found["ms"]["p50"] > 0
    assert not Listing.objects.exists()
    call_command("seed_catalogue", "--drop", stdout=StringIO())
    with pytest.raises(CommandError, match="seed_catalogue"):
        call_command("bench_catalogue")
    settings.SECURE = True
    with pytest.raises(CommandError, match="public"):
        call_command("seed_catalogue")

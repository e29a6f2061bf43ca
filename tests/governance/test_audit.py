"""What was done stays written, in order, and tampering shows."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from governance import services as governance
from governance.models import AuditEntry, AuditLink


@pytest.fixture
def three_entries(alice, bob):
    for number in range(3):
        governance.record(actor=alice, verb=f"did_{number}", subject=bob, details={"n": number})
    connection.check_constraints()  # the chain is written when a transaction ends
    return list(AuditEntry.objects.filter(verb__startswith="did_").order_by("id"))


def tamper(statement, *parameters):
    """As somebody with the keys of the database would: triggers off, change, triggers on."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_every_entry_is_bound_to_the_one_before(three_entries):
    links = [entry.link for entry in three_entries]
    assert [bytes(link.previous_hash) for link in links[1:]] == [
        bytes(link.hash) for link in links[:-1]
    ]
    assert governance.verify_audit() == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE governance_auditentry SET verb = 'did_nothing' WHERE id = %s", "was altered"),
        ("UPDATE governance_auditentry SET actor_id = NULL WHERE id = %s", "was altered"),
        ("UPDATE governance_auditlink SET hash = 'x' WHERE entry_id = %s", "was altered"),
        ("DELETE FROM governance_auditlink WHERE entry_id = %s", "is not in the chain"),
    ],
)
def test_tampering_is_found_and_located(three_entries, statement, fault):
    victim = three_entries[1]
    tamper(statement, victim.pk)
    faults = governance.verify_audit()
    assert any(fault in line and f"entry {victim.pk}" in line for line in faults)


def test_removing_an_entry_and_its_link_breaks_the_chain(three_entries):
    victim = three_entries[1]
    tamper("DELETE FROM governance_auditlink WHERE entry_id = %s", victim.pk)
    tamper("DELETE FROM governance_auditentry WHERE id = %s", victim.pk)
    assert any("does not follow" in line for line in governance.verify_audit())


@pytest.mark.parametrize("model", [AuditEntry, AuditLink])
def test_nobody_updates_deletes_or_truncates(three_entries, model):
    field = "verb" if model is AuditEntry else "hash"
    with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
        model.objects.all().update(**{field: "x" if model is AuditEntry else b"x"})
    with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
        model.objects.all()._raw_delete(model.objects.db)
    with (
        pytest.raises(IntegrityError, match="refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")


def test_the_command_says_whole_or_where(three_entries, capsys):
    call_command("verify_audit", "--json")
    assert json.loads(capsys.readouterr().out)["faults"] == []
    tamper("UPDATE governance_auditentry SET verb = 'x' WHERE id = %s", three_entries[0].pk)
    with pytest.raises(CommandError, match=f"entry {three_entries[0].pk}"):
        call_command("verify_audit")

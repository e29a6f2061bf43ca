"""What a wallet gets, and the pages and the API that show it."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from billing import services as billing
from billing.models import MICROCREDITS, Transfer
from billing.services.wallets import PAGE_MOVEMENTS
from governance import services as governance
from governance.models import AuditEntry, Role, Scope
from tests.billing.conftest import person


def sell(bob, alice, number=1, microcredits=10 * MICROCREDITS):
    return billing.sell(
        buyer=bob,
        author=alice,
        amount_microcredits=microcredits,
        key=f"purchase/{number}",
        source="template/1",
        memo=f"“Digits {number}”",
    )


def issue(user, **changes):
    values = {
        "amount_microcredits": 5 * MICROCREDITS,
        "reason": "A voucher",
        "key": "v",
        "promotional": False,
    }
    return billing.issue(user=user, **{**values, **changes})


@pytest.mark.parametrize(
    ("microcredits", "text"),
    [
        (0, "0"),
        (1, "0.000001"),
        (12_500_000, "12.5"),
        (100 * MICROCREDITS, "100"),
        (-1_250_000, "-1.25"),
        (2**53 - 1, "9007199254.740991"),
    ],
)
def test_credits_are_written_exactly(microcredits, text):
    assert billing.credits(microcredits) == text


def test_a_new_person_is_welcomed_once(alice):
    first = billing.welcome(user=alice)
    assert billing.welcome(user=alice) == first
    assert billing.available_credits(alice) == "100"
    assert billing.wallet(user=alice).promotional_microcredits == 100 * MICROCREDITS


def test_a_person_without_a_wallet_has_nothing(alice):
    assert billing.available_microcredits(alice) == 0
    assert billing.wallet(user=alice).movements == []


def test_credits_are_issued_by_finance_with_a_reason(alice, bob):
    judy = person("judy")
    with pytest.raises(governance.NotAllowed, match="Finance|finance"):
        issue(alice, actor=judy)
    governance.grant_role(actor=None, user=judy, role=Role.FINANCE)
    with pytest.raises(governance.Refusal, match="Say why"):
        issue(alice, actor=judy, reason="  ")
    issued = issue(alice, actor=judy)
    entry = AuditEntry.objects.get(verb="issue", subject_id=issued.pk)
    assert (entry.actor, entry.details["reason"]) == (judy, "A voucher")
    assert billing.available_credits(alice) == "5"


def test_the_same_key_issues_once(alice):
    issue(alice)
    issue(alice)
    with pytest.raises(governance.KeyReused):
        issue(alice, promotional=True)
    assert billing.available_credits(alice) == "5"


def test_movements_tell_what_moved_and_what_was_there_after(alice, bob):
    sell(bob, alice, microcredits=110 * MICROCREDITS)  # from two wallets, shown as one movement
    movements = billing.wallet(user=bob).movements
    assert [(movement.title, movement.transfer.memo) for movement in movements] == [
        ("Purchase", "“Digits 1”"),
        ("Credits added", "A voucher"),
        ("Credits added", "Welcome credits"),
    ]
    amounts = [movement.amount_microcredits // MICROCREDITS for movement in movements]
    balances = [movement.balance_microcredits // MICROCREDITS for movement in movements]
    assert amounts == [-110, 50, 100]
    assert balances == [40, 150, 100]
    assert [movement.title for movement in billing.wallet(user=alice).movements] == ["Sale"]


def test_every_page_of_movements_continues_the_last(alice, bob):
    for number in range(2 * PAGE_MOVEMENTS):
        sell(bob, alice, number, MICROCREDITS if number % 2 else 2 * MICROCREDITS)
    seen = []
    before = None
    while True:
        wallet = billing.wallet(user=bob, before=before)
        seen += wallet.movements
        before = wallet.next_before
        if before is None:
            break
        assert len(wallet.movements) == PAGE_MOVEMENTS
    assert len(seen) == 2 * PAGE_MOVEMENTS + 2
    assert [movement.transfer.pk for movement in seen] == sorted(
        (movement.transfer.pk for movement in seen), reverse=True
    )
    assert seen[0].balance_microcredits == billing.wallet(user=bob).total_microcredits
    for newer, older in zip(seen, seen[1:], strict=False):
        assert older.balance_microcredits + newer.amount_microcredits == newer.balance_microcredits


# The page


def test_bob_reads_his_wallet(client, alice, bob):
    sell(bob, alice)
    billing.hold(owner=bob, amount_microcredits=MICROCREDITS, key="job", reason="Training “Digits”")
    client.force_login(bob)
    page = client.get(reverse("billing:wallet")).content.decode()
    for text in ("139", "Held now", "Training “Digits”", "Purchase", "“Digits 1”", "-10", "+50"):
        assert text in page
    assert "⌊3x / 10⌋" in page


def test_a_new_persons_wallet_says_how_credits_come(client, alice):
    client.force_login(alice)
    page = client.get(reverse("billing:wallet")).content.decode()
    assert "Nothing has moved yet" in page
    assert "Held now" not in page


def test_older_movements_are_one_link_away(client, alice, bob):
    for number in range(PAGE_MOVEMENTS):
        sell(bob, alice, number, MICROCREDITS)
    client.force_login(bob)
    answer = client.get(reverse("billing:wallet"))
    before = answer.context["wallet"].next_before
    assert f"?before={before}" in answer.content.decode()
    older = client.get(reverse("billing:wallet"), {"before": before}).content.decode()
    assert "Welcome credits" in older
    assert "Newest" in older
    end = client.get(reverse("billing:wallet"), {"before": 1}).content.decode()
    assert "Nothing older" in end


def test_a_wallet_is_read_in_few_queries(client, alice, bob, django_assert_max_num_queries):
    for number in range(PAGE_MOVEMENTS):
        sell(bob, alice, number, MICROCREDITS)
    client.force_login(bob)
    client.get(reverse("billing:wallet"))  # the first page of a session writes the session down
    with django_assert_max_num_queries(12):
        client.get(reverse("billing:wallet"))


def test_a_stranger_signs_in_first(client, db):
    answer = client.get(reverse("billing:wallet"))
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


@pytest.mark.parametrize("before", ["abc", "-1", "0", "9" * 30, "１"])
def test_a_made_up_page_is_refused_by_name(client, bob, before):
    client.force_login(bob)
    page = client.get(reverse("billing:wallet"), {"before": before})
    assert page.status_code == 400
    answer = client.get("/api/v1/wallet", {"cursor": before})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_cursor"
    assert answer.json()["invalid_parameters"][0]["field"] == "cursor"


# The API


def key(user, scope):
    _, secret = governance.create_api_key(owner=user, name="test", scopes=[scope])
    return {"Authorization": f"Bearer {secret}"}


def test_a_program_reads_bobs_wallet(client, alice, bob):
    sell(bob, alice)
    answer = client.get("/api/v1/wallet", headers=key(bob, Scope.BILLING_READ))
    assert answer.status_code == 200
    wallet = answer.json()
    assert wallet["available_credits"] == "140"
    assert wallet["promotional_credits"] == "90"
    assert wallet["next"] is None
    assert wallet["movements"][0] == {
        "id": Transfer.objects.get(kind="sale").pk,
        "at": wallet["movements"][0]["at"],
        "kind": "sale",
        "memo": "“Digits 1”",
        "amount_credits": "-10",
        "balance_credits": "140",
    }


def test_a_program_pages_by_the_address_it_got(client, alice, bob):
    for number in range(PAGE_MOVEMENTS):
        sell(bob, alice, number, MICROCREDITS)
    headers = key(bob, Scope.BILLING_READ)
    first = client.get("/api/v1/wallet", headers=headers).json()
    second = client.get(first["next"], headers=headers).json()
    assert len(first["movements"]) == PAGE_MOVEMENTS
    assert [movement["memo"] for movement in second["movements"]] == [
        "A voucher",
        "Welcome credits",
    ]


def test_a_key_without_the_scope_reads_nothing(client, bob):
    answer = client.get("/api/v1/wallet", headers=key(bob, Scope.PREDICT))
    assert answer.status_code == 403


def test_a_stranger_reads_nothing(client, db):
    assert client.get("/api/v1/wallet").status_code == 401


# The desk


@pytest.mark.parametrize("table", ["transfer", "balance", "hold", "stream", "usageevent"])
def test_finance_reads_the_ledger_and_changes_nothing(client, alice, bob, table):
    sell(bob, alice)
    billing.hold(owner=bob, amount_microcredits=MICROCREDITS, key="job", reason="Training")
    judy = person("judy")
    judy.is_staff = True
    judy.save()
    client.force_login(judy)
    address = reverse(f"admin:billing_{table}_changelist")
    assert client.get(address).status_code == 403
    governance.grant_role(actor=None, user=judy, role=Role.FINANCE)
    listing = client.get(address)
    assert listing.status_code == 200
    for row in listing.context["cl"].result_list:
        page = client.get(reverse(f"admin:billing_{table}_change", args=[row.pk]))
        assert page.status_code == 200
    assert client.post(reverse(f"admin:billing_{table}_add")).status_code == 403


# The command


def test_a_balanced_ledger_passes_the_check(alice, bob, capsys):
    sell(bob, alice)
    call_command("check_ledger", "--json")
    assert json.loads(capsys.readouterr().out) == {"balanced": True, "faults": []}
    call_command("check_ledger")
    assert "balanced" in capsys.readouterr().out

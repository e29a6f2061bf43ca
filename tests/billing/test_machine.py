"""The services against a ledger of plain Python: any sequence of acts ends in the same numbers.

Hypothesis chooses the acts. `Model` says in dictionaries what each one must do; after every act the
database must agree, pass its own checks of COMMIT, and have no faults. Refusals are acts too: the
model keeps a copy, and both must be as before.
"""

import contextlib
import copy
import uuid
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from billing import services as billing
from billing.models import BURN_ORDER, Balance, Hold, Stream
from billing.services import usage
from billing.services.usage import LEASE_CALLS, LEASE_UNITS
from governance import services as governance
from tests.billing.conftest import person
from tests.billing.test_usage import ten_minutes_pass

PROMO, PAID, EARNED = BURN_ORDER
NAMES = ("alice", "bob", "carol")
people = st.sampled_from(NAMES)
amounts = st.one_of(st.integers(1, 50), st.integers(1, 500), st.integers(1, 3_000))


@dataclass
class PlainHold:
    owner: str
    parts: dict[str, int]  # by class of wallet
    captured: dict[str, int]
    is_open: bool = True
    use: tuple | None = None  # of a lease: source, author, price
    left: int = 0  # of a lease: what the process may still count down
    unpaid: int = 0
    is_over: bool = False

    @property
    def waiting(self):
        return sum(self.parts.values()) - sum(self.captured.values())


@dataclass
class Model:
    """What the ledger must say, without locks, keys or SQL."""

    posted: dict = field(
        default_factory=lambda: {name: dict.fromkeys(BURN_ORDER, 0) for name in NAMES}
    )
    holds: list[PlainHold] = field(default_factory=list)
    streams: dict = field(default_factory=dict)  # (author, source, buyer): gross, author's

    def held(self, name, kind):
        return sum(
            hold.parts.get(kind, 0) - hold.captured.get(kind, 0)
            for hold in self.holds
            if hold.owner == name and hold.is_open
        )

    def free(self, name):
        return {kind: self.posted[name][kind] - self.held(name, kind) for kind in BURN_ORDER}

    def leases(self, name):
        return [hold for hold in self.holds if hold.owner == name and hold.is_open and hold.use]

    def make_room(self, name, amount):
        missing = amount - sum(self.free(name).values())
        waiting = sum(lease.waiting - lease.unpaid for lease in self.leases(name))
        if 0 < missing <= waiting:
            for lease in self.leases(name):
                self.settle(lease, close=True)

    def draw(self, name, amount):
        return self.take(self.free(name), amount)

    @staticmethod
    def take(available, amount):
        parts = {}
        for kind in BURN_ORDER:
            part = min(available.get(kind, 0), amount)
            if part:
                parts[kind] = part
                amount -= part
        if amount:
            raise LookupError("not enough")
        return parts

    def pay_author(self, author, source, buyer, parts):
        gross_before, author_before = self.streams.get((author, source, buyer), (0, 0))
        amount = sum(parts.values())
        gross = gross_before + amount
        share = gross - 3 * gross // 10 - author_before
        promotional = share * parts.get(PROMO, 0) // amount
        self.posted[author][PROMO] += promotional
        self.posted[author][EARNED] += share - promotional
        self.streams[author, source, buyer] = (gross, author_before + share)

    def sell(self, buyer, author, amount, source):
        self.make_room(buyer, amount)
        parts = self.draw(buyer, amount)
        for kind, part in parts.items():
            self.posted[buyer][kind] -= part
        self.pay_author(author, source, buyer, parts)

    def hold(self, owner, amount):
        self.make_room(owner, amount)
        self.holds.append(PlainHold(owner, self.draw(owner, amount), {}))

    def capture(self, hold, amount):
        rest = {kind: hold.parts[kind] - hold.captured.get(kind, 0) for kind in hold.parts}
        parts = self.take(rest, amount)
        for kind, part in parts.items():
            hold.captured[kind] = hold.captured.get(kind, 0) + part
            self.posted[hold.owner][kind] -= part
        return parts

    def settle(self, lease, *, close):
        if lease.unpaid:
            parts = self.capture(lease, lease.unpaid)
            source, author, _ = lease.use
            if author:
                self.pay_author(author, source, lease.owner, parts)
            lease.unpaid = 0
        if close or not lease.waiting:
            lease.is_open = False

    def meter(self, user, source, author, price, units):
        cost = price * units
        for lease in self.leases(user):
            if lease.use == (source, author, price) and lease.left >= cost:
                lease.left -= cost
                lease.unpaid += cost
                return
        self.make_room(user, cost)
        affordable = sum(self.free(user).values()) // price
        amount = price * max(units, min(max(LEASE_UNITS, LEASE_CALLS * units), affordable // 2))
        lease = PlainHold(user, self.draw(user, amount), {}, use=(source, author, price))
        lease.left = amount - cost
        lease.unpaid = cost
        self.holds.append(lease)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.database = contextlib.ExitStack()
        self.database.enter_context(transaction.atomic())
        usage.BUDGETS.clear()
        self.people = {name: person(name) for name in NAMES}
        self.model = Model()
        self.rows = []  # the hold of each hold of the model; leases have none
        self.replays = []
        self.number = 0

    def teardown(self):
        transaction.set_rollback(True)
        self.database.close()

    @initialize()
    def begin_with_credits(self):
        """Otherwise most acts would be refused."""
        for name, kind, amount in (
            ("alice", PROMO, 10),
            ("bob", PROMO, 1_000),
            ("bob", PAID, 1_000),
            ("carol", PAID, 2_000),
        ):
            self.credit(name, kind, amount)

    def credit(self, name, kind, amount):
        def plain():
            self.model.posted[name][kind] += amount

        self.act(
            plain,
            billing.issue,
            user=self.people[name],
            amount_microcredits=amount,
            reason="r",
            key=self.key(),
            promotional=kind == PROMO,
        )

    def key(self):
        self.number += 1
        return f"key/{self.number}"

    def act(self, plain, service, **values):
        """Do it in both; both do it, or both refuse and stay as they were."""
        before = copy.deepcopy(self.model)
        try:
            plain()
        except LookupError:
            self.model = before
            with pytest.raises((billing.InsufficientCredits, billing.HoldExceeded)):
                service(**values)
            return None
        row = service(**values)
        self.replays.append((service, values))
        return row

    @rule(name=people, kind=st.sampled_from([PROMO, PAID]), amount=amounts)
    def issue(self, name, kind, amount):
        self.credit(name, kind, amount)

    @rule(buyer=people, author=people, amount=amounts, source=st.sampled_from(["a", "b"]))
    def sell(self, buyer, author, amount, source):
        values = {
            "buyer": self.people[buyer],
            "author": self.people[author],
            "amount_microcredits": amount,
            "key": self.key(),
            "source": source,
            "memo": "m",
        }
        if buyer == author:
            with pytest.raises(billing.SelfDealing):
                billing.sell(**values)
        else:
            self.act(lambda: self.model.sell(buyer, author, amount, source), billing.sell, **values)

    @rule(owner=people, amount=amounts)
    def hold(self, owner, amount):
        row = self.act(
            lambda: self.model.hold(owner, amount),
            billing.hold,
            owner=self.people[owner],
            amount_microcredits=amount,
            key=self.key(),
            reason="r",
        )
        if row is not None:
            self.rows.append((row, len(self.model.holds) - 1))

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), up_to=st.integers(0, 600), to=st.sampled_from(["compute", "storage"]))
    def capture(self, data, up_to, to):
        row, index = data.draw(st.sampled_from(self.rows))
        values = {"hold": row, "up_to_microcredits": up_to, "key": self.key(), "to": to}
        step = up_to - sum(self.model.holds[index].captured.values())

        def plain():
            hold = self.model.holds[index]
            if not hold.is_open:
                raise LookupError("closed")
            self.model.capture(hold, step)

        if step > 0:
            self.act(plain, billing.capture, **values)
        else:
            billing.capture(**values)  # changes nothing, and leaves its key free

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def release(self, data):
        row, index = data.draw(st.sampled_from(self.rows))
        self.model.holds[index].is_open = False
        assert billing.release(hold=row).state == Hold.State.CLOSED

    @rule(
        user=people,
        author=st.one_of(st.none(), people),
        source=st.sampled_from(["a", "c"]),
        price=st.sampled_from([1, 3, 40]),
        units=st.sampled_from([1, 1, 1, 2, 7, 120]),
    )
    def meter(self, user, author, source, price, units):
        if author == user:
            author = None
        self.act(
            lambda: self.model.meter(user, source, author, price, units),
            billing.meter,
            user=self.people[user],
            source=source,
            author=author and self.people[author],
            price_microcredits=price,
            units=units,
            event_id=uuid.uuid4(),
        )

    @rule()
    def settle(self):
        for hold in self.model.holds:
            if hold.use and hold.is_open and (hold.unpaid or hold.is_over):
                self.model.settle(hold, close=hold.is_over)
        billing.settle_usage()

    @rule()
    def wait_ten_minutes(self):
        for hold in self.model.holds:
            hold.is_over = bool(hold.use)
        connection.check_constraints()
        ten_minutes_pass()

    @rule()
    def start_another_process(self):
        for hold in self.model.holds:
            hold.left = 0
        usage.BUDGETS.clear()

    @precondition(lambda self: self.replays)
    @rule(data=st.data())
    def repeat(self, data):
        """Any act that was done before, again: nothing more happens."""
        service, values = data.draw(st.sampled_from(self.replays))
        service(**values)

    @precondition(lambda self: self.replays)
    @rule(data=st.data())
    def reuse_a_key(self, data):
        service, values = data.draw(st.sampled_from(self.replays))
        (name,) = {"units", "up_to_microcredits", "amount_microcredits"} & values.keys()
        with pytest.raises(governance.KeyReused):
            service(**{**values, name: values[name] + 1})

    @invariant()
    def the_database_agrees(self):
        rows = Balance.objects.select_related("account__owner")
        found = {
            (row.account.owner.username, row.account.kind): (
                row.posted_microcredits,
                row.held_microcredits,
            )
            for row in rows
        }
        for name in NAMES:
            for kind in BURN_ORDER:
                expected = (self.model.posted[name][kind], self.model.held(name, kind))
                assert found.get((name, kind), (0, 0)) == expected, (name, kind)
        streams = {
            (stream.author.username, stream.source, stream.buyer.username): (
                stream.gross_microcredits,
                stream.author_microcredits,
            )
            for stream in Stream.objects.select_related("author", "buyer")
        }
        assert streams == self.model.streams

    @invariant()
    def the_ledger_is_sound(self):
        connection.check_constraints()
        assert billing.ledger_faults() == []
        for name, user in self.people.items():
            wallet = billing.wallet(user=user)
            assert wallet.total_microcredits == sum(self.model.posted[name].values())
            if wallet.movements:
                assert wallet.movements[0].balance_microcredits == wallet.total_microcredits


def test_any_sequence_of_acts_ends_in_the_numbers_of_plain_arithmetic(db):
    """Takes some seconds: each of several hundred acts is checked against the whole ledger."""
    run(LedgerMachine, settings=settings(max_examples=10, stateful_step_count=30, deadline=None))

"""The ledger's rows. A leg is the only fact; everything else about credits follows from legs.

    Transfer ──< Leg >── Account ── Balance          (posted, held: wallets only)
       │                    │
       ├── Hold ──< HoldPart┘     credits set aside, then captured by transfers or given back
       └── Stream                 what one author earned from one buyer at one source, in all

A transfer's legs sum to zero. Triggers (migration 0002) make each of these true for every client,
raw SQL included, because a rule that only Python keeps is a rule that the next script breaks:

- a transfer has at least two legs and they sum to zero, checked at COMMIT; legs join a transfer
  only in the database transaction that wrote it;
- transfers, legs, accounts, leases and usage refuse UPDATE, DELETE and TRUNCATE;
- each kind of transfer may touch only certain kinds of account, each on one side; credits enter
  the ledger only from the issuing account;
- nobody earns from themselves, and promotional credits never become earned ones: a transfer cannot
  credit more to `wallet_earned` than it takes from paid and earned wallets. The author's share of
  a sale paid with promotional credits is therefore promotional too;
- a hold is captured up to its amount, closed once, and nothing joins it afterwards.

Why the database keeps the balances: a leg's trigger moves `Balance`, `Hold`, `HoldPart` and
`Stream` in the same statement, and those columns refuse every other hand, so no path can forget to.
The CHECK on `Balance` then refuses an overdraft whoever asks. Platform accounts have no balance
row: every sale would wait for it. They are the sums of their legs.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

MICROCREDITS = 1_000_000  # in a credit
WELCOME_MICROCREDITS = 100 * MICROCREDITS
LARGEST_MICROCREDITS = 2**53 - 1  # what JSON's readers hold exactly


class Account(models.Model):
    """Where credits are: a person's wallet of one class, or a place of the platform."""

    class Kind(models.TextChoices):
        WALLET_PROMO = "wallet_promo", "Promotional"
        WALLET_PAID = "wallet_paid", "Paid"
        WALLET_EARNED = "wallet_earned", "Earned"
        ISSUER = "issuer", "Issuer"
        FEE = "fee", "Platform fee"
        COMPUTE = "compute", "Compute"
        STORAGE = "storage", "Storage"

    kind = models.CharField(max_length=20, choices=Kind)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="accounts"
    )

    class Meta:
        constraints = [
            # Two first uses at once make one account, the platform's too.
            models.UniqueConstraint(
                fields=["kind", "owner"], name="one_account_per_kind", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(kind__startswith="wallet_", owner__isnull=False)
                | (~Q(kind__startswith="wallet_") & Q(owner__isnull=True)),
                name="wallets_and_only_wallets_have_owners",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display() if self.owner is None else f"{self.kind} of {self.owner}"


# Promotional credits go first, so that a person keeps what can be paid out.
BURN_ORDER = (Account.Kind.WALLET_PROMO, Account.Kind.WALLET_PAID, Account.Kind.WALLET_EARNED)


class Balance(models.Model):
    """A wallet's sum of legs and of open holds, written by triggers only."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True)
    posted_microcredits = models.BigIntegerField(default=0)
    held_microcredits = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(held_microcredits__gte=0), name="held_is_not_negative"
            ),
            # The overdraft. Locks make it rare, this makes it impossible.
            models.CheckConstraint(
                condition=Q(posted_microcredits__gte=F("held_microcredits")),
                name="wallet_is_not_overdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"balance of {self.account}"

    @property
    def available_microcredits(self) -> int:
        return self.posted_microcredits - self.held_microcredits


class Stream(models.Model):
    """The running split of what one buyer paid one author at one source.

    The author's total is f(gross) = gross − ⌊3·gross/10⌋. Splitting the running total instead of
    each event loses nothing to rounding, however small the events. Both totals follow from legs,
    and f is checked at COMMIT: a sale with another split does not happen.
    """

    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="earning_streams"
    )
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="paying_streams"
    )
    source = models.CharField(max_length=100)
    gross_microcredits = models.BigIntegerField(default=0)  # by trigger, from legs
    author_microcredits = models.BigIntegerField(default=0)  # by trigger, from legs

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["author", "source", "buyer"], name="one_stream"),
            models.CheckConstraint(
                condition=~Q(author=F("buyer")), name="nobody_earns_from_themselves"
            ),
            models.CheckConstraint(
                condition=Q(gross_microcredits__gte=0), name="gross_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.buyer} pays {self.author} at {self.source}"


class HoldQuerySet(models.QuerySet["Hold"]):
    def open(self) -> "HoldQuerySet":
        return self.filter(state=Hold.State.OPEN)


class Hold(models.Model):
    """Credits set aside for work that is not done yet.

        open ──capture──> open ──release──> closed

    Capturing moves a part of it; closing gives the rest back. Both happen at most once per
    micro-credit: `captured_microcredits` only rises, and follows from the legs of its transfers.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    key = models.CharField(max_length=200, unique=True)
    fingerprint = models.CharField(max_length=64)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="holds"
    )
    reason = models.CharField(max_length=200)
    amount_microcredits = models.BigIntegerField()
    captured_microcredits = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField(db_default=Now(), editable=False)  # by trigger
    closed_at = models.DateTimeField(null=True, editable=False)  # by trigger
    written_in = models.BigIntegerField(db_default=0, editable=False)  # by trigger

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_microcredits__gt=0), name="hold_holds_something"
            ),
            models.CheckConstraint(
                condition=Q(captured_microcredits__gte=0)
                & Q(captured_microcredits__lte=F("amount_microcredits")),
                name="hold_is_not_captured_beyond_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None)
                | Q(state="closed", closed_at__isnull=False),
                name="hold_state_is_known",
            ),
        ]
        indexes = [
            # What a person's wallet page lists, and what the ledger check sums.
            models.Index(fields=["owner"], name="open_holds", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"hold {self.key}"

    @property
    def remaining_microcredits(self) -> int:
        """What is still set aside."""
        if self.state == self.State.CLOSED:
            return 0
        return self.amount_microcredits - self.captured_microcredits


class HoldPart(models.Model):
    """What a hold takes from one wallet."""

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="parts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="hold_parts")
    amount_microcredits = models.BigIntegerField()
    captured_microcredits = models.BigIntegerField(default=0)  # by trigger, from legs

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hold", "account"], name="one_part_per_wallet"),
            models.CheckConstraint(
                condition=Q(amount_microcredits__gt=0), name="part_holds_something"
            ),
            models.CheckConstraint(
                condition=Q(captured_microcredits__gte=0)
                & Q(captured_microcredits__lte=F("amount_microcredits")),
                name="part_is_not_captured_beyond_its_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"part of {self.hold}"


class Transfer(models.Model):
    """One movement of credits. A mistake is corrected by another transfer, never by a change."""

    class Kind(models.TextChoices):
        ISSUE = "issue", "Issue"
        SALE = "sale", "Sale"
        CAPTURE = "capture", "Work"
        USAGE = "usage", "Use"

    key = models.CharField(max_length=200, unique=True)
    fingerprint = models.CharField(max_length=64)
    kind = models.CharField(max_length=10, choices=Kind)
    memo = models.CharField(max_length=200)
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, related_name="captures")
    stream = models.ForeignKey(
        Stream, on_delete=models.PROTECT, null=True, related_name="transfers"
    )
    at = models.DateTimeField(db_default=Now(), editable=False)  # by trigger: the database's clock
    # The database transaction that wrote it: legs may join it there and nowhere else. By trigger.
    written_in = models.BigIntegerField(db_default=0, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(memo=""), name="transfer_says_why"),
            models.CheckConstraint(
                condition=Q(kind="issue", hold=None, stream=None)
                | Q(kind="sale", hold=None, stream__isnull=False)
                | Q(kind="capture", hold__isnull=False, stream=None)
                | Q(kind="usage", hold__isnull=False),
                name="transfer_kind_names_its_origin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Leg(models.Model):
    """What a transfer adds to one account, or takes from it when negative."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="legs")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="legs")
    amount_microcredits = models.BigIntegerField()
    # What the wallet holds after it, so that a page of movements needs no sum. By trigger; null
    # for the platform's accounts.
    balance_microcredits = models.BigIntegerField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount_microcredits=0), name="leg_moves_something"),
            models.UniqueConstraint(fields=["transfer", "account"], name="one_leg_per_account"),
        ]
        indexes = [
            # The movements of a wallet, newest first.
            models.Index(fields=["account", "-transfer"], name="legs_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_microcredits} to {self.account}"


class Lease(models.Model):
    """A hold that pays in advance for calls of one person at one source, at one price."""

    hold = models.OneToOneField(
        Hold, on_delete=models.PROTECT, primary_key=True, related_name="lease"
    )
    source = models.CharField(max_length=100)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    price_microcredits = models.BigIntegerField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price_microcredits__gt=0), name="lease_has_a_price"),
        ]

    def __str__(self) -> str:
        return f"lease of {self.source}"


class Spending(models.Model):
    """What the closed leases of one person at one source took, by the month that they began in.

    Caps ask for it when a lease is opened; summing up events would take longer from month to month.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=100)
    month = models.DateField()  # its first day, UTC
    microcredits = models.BigIntegerField()  # by trigger, as leases are closed

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "source", "month"], name="one_spending_per_month"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} in {self.month:%B %Y}"


class UsageEvent(models.Model):
    """One served call. The id is the request's, so a call that is reported twice is one row.

    Only `settled_by` changes, once, from nothing to the transfer that paid for it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.CharField(max_length=100)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="usage_events"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    units = models.IntegerField()
    price_microcredits = models.BigIntegerField()  # of one unit
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, related_name="usage_events")
    settled_by = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, null=True, related_name="usage_events", db_index=False
    )
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(units__gt=0), name="usage_used_something"),
            models.CheckConstraint(
                condition=Q(price_microcredits=0, hold=None)
                | Q(price_microcredits__gt=0, hold__isnull=False),
                name="usage_is_free_or_prepaid",
            ),
        ]
        indexes = [
            # What a settlement claims, lease by lease.
            models.Index(
                fields=["hold"],
                name="unsettled_usage",
                condition=Q(settled_by=None) & Q(hold__isnull=False),
            ),
            # What one source served to whom, as its author's page asks.
            models.Index(fields=["source", "-at"], name="usage_of_source"),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.source}"


class Allowance(models.Model):
    """What one person has used of the units that a source includes each month, by its calendar in
    UTC. The row and the event of a call are written together, so it counts each call once.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="allowances"
    )
    source = models.CharField(max_length=100)
    month = models.DateField()  # its first day
    used_units = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "source", "month"], name="one_allowance_per_month"
            ),
            models.CheckConstraint(
                condition=Q(used_units__gt=0), name="allowance_counts_what_was_used"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.used_units} of {self.source} in {self.month}"

"""The ledger on finance's desk: to be read. Credits move by services only."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline

from billing.models import Balance, Hold, HoldPart, Leg, Stream, Transfer, UsageEvent
from governance.admin import DeskAdmin
from governance.models import Role


class LedgerAdmin(DeskAdmin):
    readers = (Role.FINANCE, Role.ADMIN)


class LedgerInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    """Rows of a page that its reader may already see."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


class LegInline(LedgerInline):
    model = Leg
    fields = readonly_fields = ["account", "amount_microcredits", "balance_microcredits"]


class HoldPartInline(LedgerInline):
    model = HoldPart
    fields = readonly_fields = ["account", "amount_microcredits", "captured_microcredits"]


@admin.register(Transfer)
class TransferAdmin(LedgerAdmin):
    list_display = ["at", "kind", "memo", "key"]
    list_filter = ["kind", "at"]
    search_fields = ["key", "memo"]
    fields = readonly_fields = ["at", "kind", "memo", "key", "hold", "stream"]
    inlines = [LegInline]


@admin.register(Balance)
class BalanceAdmin(LedgerAdmin):
    list_display = ["account", "posted_microcredits", "held_microcredits"]
    list_filter = ["account__kind"]
    search_fields = ["account__owner__username"]
    list_select_related = ["account__owner"]


@admin.register(Hold)
class HoldAdmin(LedgerAdmin):
    list_display = [
        "opened_at",
        "owner",
        "reason",
        "state",
        "amount_microcredits",
        "captured_microcredits",
    ]
    list_filter = ["state", "opened_at"]
    search_fields = ["key", "owner__username"]
    list_select_related = ["owner"]
    exclude = ["fingerprint", "written_in"]
    inlines = [HoldPartInline]


@admin.register(Stream)
class StreamAdmin(LedgerAdmin):
    list_display = ["author", "buyer", "source", "gross_microcredits", "author_microcredits"]
    search_fields = ["source", "author__username", "buyer__username"]
    list_select_related = ["author", "buyer"]


@admin.register(UsageEvent)
class UsageEventAdmin(LedgerAdmin):
    list_display = ["at", "user", "source", "units", "price_microcredits", "settled_by"]
    list_filter = ["at"]
    search_fields = ["source", "user__username"]
    list_select_related = ["user", "settled_by"]

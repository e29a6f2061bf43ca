"""What every desk stands on, and the desk of people, roles, keys and the audit trail."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from governance.models import ApiKey, AuditEntry, Role, RoleGrant, User


class DeskAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Rows that the desk reads and only services change. Who reads them is a question of roles."""

    readers: tuple[Role, ...] = (Role.MODERATOR, Role.SENIOR_MODERATOR, Role.FINANCE, Role.ADMIN)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Filters go from the address to the database as they are, which has no such letter."""
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("A filter has the letter NUL.")
        return super().changelist_view(request, extra_context)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return isinstance(request.user, User) and request.user.has_role(*self.readers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


class RoleGrantInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = RoleGrant
    fk_name = "user"
    extra = 0
    readonly_fields = ["role", "granted_at", "granted_by"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False  # `manage.py grant_role`, which writes it down


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]  # unfold ships no types
    list_display = ["username", "email", "date_joined", "is_active", "is_staff"]
    inlines = [RoleGrantInline]


@admin.register(AuditEntry)
class AuditEntryAdmin(DeskAdmin):
    list_display = ["at", "actor", "verb", "subject_type", "subject_id", "request_id"]
    list_filter = ["verb", "subject_type"]
    search_fields = ["subject_id", "request_id", "actor__username"]
    list_select_related = ["actor"]


@admin.register(ApiKey)
class ApiKeyAdmin(DeskAdmin):
    exclude = ["secret_sha256"]
    list_display = ["name", "owner", "prefix", "created_at", "last_used_at", "revoked_at"]
    search_fields = ["prefix", "owner__username"]
    list_select_related = ["owner"]

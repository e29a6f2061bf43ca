"""What every desk stands on, and the desk of people, roles, keys and the audit trail."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from governance import services as governance
from governance.models import ApiKey, AuditEntry, Role, RoleGrant, User


def dialog(
    label: str,
    *,
    permission: str,
    question: str,
    consequence: str,
    form: type[BaseDialogForm] = BaseDialogForm,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """An act on one row that asks before it is done. `form` is what else it asks."""
    decorator: Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]] = action(
        description=label,
        url_path=label.lower(),
        permissions=[permission],
        dialog={
            "title": question,
            "description": consequence,
            "form_class": form,
            "form_submit_text": label,
        },
    )
    return decorator


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

    def row_for(self, request: HttpRequest, object_id: str, roles: Iterable[Role]) -> Any:
        """The row of this address, for people of these roles; None else, or where there is none."""
        if not isinstance(request.user, User) or not request.user.has_role(*roles):
            return None
        return self.get_object(request, object_id)

    def answer(
        self, request: HttpRequest, act: Callable[..., object], outcome: str
    ) -> HttpResponse:
        """One service call; the dialog closes by going back to the list."""
        try:
            act(actor=request.user)
        except governance.Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, outcome, messages.SUCCESS)
        address = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return HttpResponse(headers={"HX-Redirect": reverse(address)})


class HideForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    reason = forms.CharField(
        max_length=1_000, label="Why, as the author reads it", widget=UnfoldAdminTextareaWidget
    )


class ModeratedAdmin(DeskAdmin):
    """What moderators can hide and show again. Each dialog says what else that does."""

    readonly_fields = ["hidden_at", "hidden_reason"]
    actions_detail = ["hide", "restore"]

    def has_hide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        row = self.row_for(request, object_id, governance.HIDING_ROLES)
        return row is not None and row.hidden_at is None

    def has_restore_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        row = self.row_for(request, object_id, governance.HIDING_ROLES)
        return row is not None and row.hidden_at is not None

    @dialog(
        "Hide",
        permission="hide",
        question="Hide this from everyone?",
        consequence="Its author alone still sees it, with your reason. What is deployed of a "
        "template stops at once.",
        form=HideForm,
    )
    def hide(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        row = self.model.objects.get(pk=object_id)
        act = partial(governance.hide, subject=row, reason=form.cleaned_data["reason"])
        return self.answer(request, act, f"“{row}” is hidden.")

    @dialog(
        "Restore",
        permission="restore",
        question="Show this again?",
        consequence="People who have a template may deploy it again.",
    )
    def restore(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        row = self.model.objects.get(pk=object_id)
        act = partial(governance.restore, subject=row)
        return self.answer(request, act, f"“{row}” is shown again.")


class RoleGrantInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = RoleGrant
    fk_name = "user"
    extra = 0
    readonly_fields = ["role", "granted_at", "granted_by"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False  # `manage.py grant_role`, which writes it down


class CloseForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    reason = forms.CharField(
        max_length=1_000, label="Why; it is written down", widget=UnfoldAdminTextareaWidget
    )


@admin.register(User)
class PersonAdmin(DeskAdmin):
    """People change their own names, addresses and passwords; roles are given by `grant_role`."""

    list_display = ["username", "email", "date_joined", "is_active", "is_staff"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["username", "email"]
    fields = [
        ("username", "email"),
        ("is_active", "is_staff", "is_superuser"),
        ("date_joined", "last_login"),
    ]
    inlines = [RoleGrantInline]
    actions_detail = ["close", "reopen"]

    def has_close_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        person = self.row_for(request, object_id, [Role.ADMIN])
        return person is not None and person.is_active

    def has_reopen_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        person = self.row_for(request, object_id, [Role.ADMIN])
        return person is not None and not person.is_active

    @dialog(
        "Close",
        permission="close",
        question="Close this account?",
        consequence="Nobody can sign in or call by it; what it made stays.",
        form=CloseForm,
    )
    def close(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        person = User.objects.get(pk=object_id)
        reason = form.cleaned_data["reason"]
        act = partial(governance.close_account, user=person, reason=reason)
        return self.answer(request, act, f"The account {person} is closed.")

    @dialog(
        "Reopen",
        permission="reopen",
        question="Open this account again?",
        consequence="Its owner can sign in as before.",
    )
    def reopen(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        person = User.objects.get(pk=object_id)
        act = partial(governance.reopen_account, user=person)
        return self.answer(request, act, f"The account {person} is open.")


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

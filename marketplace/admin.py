"""The moderators' desk: templates that wait, with their measured numbers, to approve or reject."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from governance.admin import DeskAdmin
from governance.models import User
from governance.services import Refusal
from marketplace import services as marketplace
from marketplace.models import Deployment, Purchase, Template, TemplateVersion


class NoteForm(ActionForm):
    note = forms.CharField(required=False, label="Note to the author")


class VersionInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = TemplateVersion
    extra = 0
    can_delete = False
    fields = ["number", "model", "accuracy", "latency", "weights", "created_at"]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return True  # whoever may see the template

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    @admin.display(description="accuracy on test rows")
    def accuracy(self, version: TemplateVersion) -> str:
        return f"{version.validation.accuracy:.4f}"

    @admin.display(description="latency p50")
    def latency(self, version: TemplateVersion) -> str:
        return f"{version.validation.latency_p50_ms:.4f} ms"

    @admin.display(description="weights SHA-256")
    def weights(self, version: TemplateVersion) -> str:
        return version.model.weights_sha256


@admin.register(Template)
class TemplateAdmin(DeskAdmin):
    list_display = ["name", "owner", "category", "plan", "status", "created_at"]
    list_filter = ["status", "category", "plan"]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]
    inlines = [VersionInline]
    action_form = NoteForm
    actions = ["approve", "reject"]

    @admin.action(description="Approve: make public", permissions=["view"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Template]) -> None:
        assert isinstance(request.user, User)
        note = request.POST.get("note", "")
        for template in queryset:
            try:
                marketplace.approve_template(actor=request.user, template=template, note=note)
            except Refusal as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, f"“{template.name}” is public.", messages.SUCCESS)

    @admin.action(description="Reject: back to the author, with the note", permissions=["view"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Template]) -> None:
        assert isinstance(request.user, User)
        note = request.POST.get("note", "")
        for template in queryset:
            try:
                marketplace.reject_template(actor=request.user, template=template, note=note)
            except Refusal as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, f"“{template.name}” went back.", messages.SUCCESS)


@admin.register(Purchase)
class PurchaseAdmin(DeskAdmin):
    list_display = ["template", "buyer", "price_microcredits", "author_microcredits", "at"]
    list_select_related = ["template", "buyer"]


@admin.register(Deployment)
class DeploymentAdmin(DeskAdmin):
    list_display = ["name", "owner", "version", "created_at", "stopped_at"]
    list_select_related = ["owner", "version__template"]

"""The moderators' desk: templates that wait, with their measured numbers, to approve or reject."""

from functools import partial

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import services as billing
from governance import services as governance
from governance.admin import DeskAdmin, dialog
from governance.models import Role
from marketplace import services as marketplace
from marketplace.models import Deployment, Purchase, Template, TemplateVersion

STATUS_COLOURS = {
    "submitted": "warning",
    "in_review": "warning",
    "changes_requested": "info",
    "published": "success",
    "rejected": "danger",
    "removed": "danger",
}


class ApproveForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(
        required=False, label="Note to the author", widget=UnfoldAdminTextareaWidget
    )


class NoteForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(label="What the author should mend", widget=UnfoldAdminTextareaWidget)


class HideForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    reason = forms.CharField(
        max_length=1_000, label="Why, as the author reads it", widget=UnfoldAdminTextareaWidget
    )


class VersionInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = TemplateVersion
    extra = 0
    can_delete = False
    fields = [
        "number",
        "status",
        "plan",
        "price",
        "model",
        "accuracy",
        "test_rows",
        "latency",
        "weights",
    ]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return True  # whoever may see the template

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    @admin.display(description="price")
    def price(self, version: TemplateVersion) -> str:
        once = billing.credits(version.price_microcredits)
        return f"{once} credits, {billing.credits(version.call_price_microcredits)} a prediction"

    @admin.display(description="accuracy")
    def accuracy(self, version: TemplateVersion) -> str:
        validation = version.validation
        return (
            "–"
            if validation is None or validation.accuracy is None
            else f"{validation.accuracy:.2%}"
        )

    @admin.display(description="test rows")
    def test_rows(self, version: TemplateVersion) -> int | None:
        return version.validation.rows if version.validation else None

    @admin.display(description="latency p50")
    def latency(self, version: TemplateVersion) -> str:
        return f"{version.validation.latency_p50_ms:.4f} ms" if version.validation else "–"

    @admin.display(description="weights")
    def weights(self, version: TemplateVersion) -> str:
        return version.model.weights_sha256[:16]


@admin.register(Template)
class TemplateAdmin(DeskAdmin):
    list_display = ["name", "owner", "category", "status_label", "created_at"]
    list_filter = ["versions__status", "category", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]
    fields = [
        ("name", "owner"),
        "summary",
        "description",
        "category",
        ("created_at", "published_at"),
        ("hidden_at", "hidden_reason"),
    ]
    readonly_fields = ["hidden_at", "hidden_reason"]
    inlines = [VersionInline]
    actions_detail = ["approve", "send_back", "reject", "hide", "restore"]

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Moderators decide, on what waits; the service holds it too."""
        template = self.row_for(request, object_id, [Role.MODERATOR, Role.SENIOR_MODERATOR])
        return template is not None and template.versions.waiting().exists()

    def has_hide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        template = self.row_for(request, object_id, governance.HIDING_ROLES)
        return template is not None and template.hidden_at is None

    def has_restore_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        template = self.row_for(request, object_id, governance.HIDING_ROLES)
        return template is not None and template.hidden_at is not None

    @display(description="status", label=STATUS_COLOURS)
    def status_label(self, template: Template) -> tuple[str, str]:
        return template.state.value, str(template.state.label)

    @dialog(
        "Approve",
        permission="decide",
        question="Make this template public?",
        consequence="Everybody will see it, with the numbers measured here.",
        form=ApproveForm,
    )
    def approve(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.approve_template, template=template, note=note)
        return self.answer(request, act, f"“{template.name}” is public.")

    @dialog(
        "Request changes",
        permission="decide",
        question="Send this template back?",
        consequence="The author reads your note, mends what it says and submits it again.",
        form=NoteForm,
    )
    def send_back(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.request_changes, template=template, note=note)
        return self.answer(request, act, f"“{template.name}” went back.")

    @dialog(
        "Reject",
        permission="decide",
        question="Refuse this version for good?",
        consequence="The author reads your note and can only begin anew.",
        form=NoteForm,
    )
    def reject(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.reject_template, template=template, note=note)
        return self.answer(request, act, f"“{template.name}” is rejected.")

    @dialog(
        "Hide",
        permission="hide",
        question="Hide this template from everyone?",
        consequence="What is deployed of it stops at once. The author reads your reason.",
        form=HideForm,
    )
    def hide(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        reason = form.cleaned_data["reason"]
        act = partial(governance.hide, subject=template, reason=reason)
        return self.answer(request, act, f"“{template.name}” is hidden.")

    @dialog(
        "Restore",
        permission="restore",
        question="Show this template again?",
        consequence="People who have it may deploy it again.",
    )
    def restore(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        act = partial(governance.restore, subject=template)
        return self.answer(request, act, f"“{template.name}” is shown again.")


@admin.register(Purchase)
class PurchaseAdmin(DeskAdmin):
    list_display = ["template", "buyer", "price", "author_share", "at"]
    list_select_related = ["template", "buyer"]

    @admin.display(description="price")
    def price(self, purchase: Purchase) -> str:
        return billing.credits(purchase.price_microcredits)

    @admin.display(description="to the author")
    def author_share(self, purchase: Purchase) -> str:
        return billing.credits(purchase.author_microcredits)


@admin.register(Deployment)
class DeploymentAdmin(DeskAdmin):
    list_display = ["name", "owner", "version", "created_at", "stopped_at"]
    list_select_related = ["owner", "version__template"]

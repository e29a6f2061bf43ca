"""The moderators' desk: templates that wait, with their measured numbers, to approve or reject."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import services as billing
from governance.admin import DeskAdmin
from governance.models import Role, User
from governance.services import Refusal
from marketplace import services as marketplace
from marketplace.models import Deployment, Purchase, Template, TemplateVersion

STATUS_COLOURS = {"in_review": "warning", "public": "success", "rejected": "danger"}


class ApproveForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(
        required=False, label="Note to the author", widget=UnfoldAdminTextareaWidget
    )


class RejectForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(label="What the author should mend", widget=UnfoldAdminTextareaWidget)


class VersionInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = TemplateVersion
    extra = 0
    can_delete = False
    fields = ["number", "model", "accuracy", "test_rows", "latency", "weights"]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return True  # whoever may see the template

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    @admin.display(description="accuracy")
    def accuracy(self, version: TemplateVersion) -> str:
        return f"{version.validation.accuracy:.2%}"

    @admin.display(description="test rows")
    def test_rows(self, version: TemplateVersion) -> int | None:
        return version.validation.rows

    @admin.display(description="latency p50")
    def latency(self, version: TemplateVersion) -> str:
        return f"{version.validation.latency_p50_ms:.4f} ms"

    @admin.display(description="weights")
    def weights(self, version: TemplateVersion) -> str:
        return version.model.weights_sha256[:16]


@admin.register(Template)
class TemplateAdmin(DeskAdmin):
    list_display = ["name", "owner", "category", "price", "status_label", "created_at"]
    list_filter = ["status", "category", "plan"]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]
    fields = [
        ("name", "owner"),
        "summary",
        "description",
        ("category", "plan"),
        ("price", "call_price"),
        ("status", "review_note"),
        ("created_at", "published_at"),
    ]
    readonly_fields = ["price", "call_price"]
    inlines = [VersionInline]
    actions_detail = ["approve", "reject"]

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Moderators decide, on what waits; the service holds it too."""
        template = self.get_object(request, object_id)  # None where the address names no row
        return (
            isinstance(request.user, User)
            and request.user.has_role(Role.MODERATOR, Role.SENIOR_MODERATOR)
            and template is not None
            and template.status == Template.Status.IN_REVIEW
        )

    @admin.display(description="price")
    def price(self, template: Template) -> str:
        return f"{billing.credits(template.price_microcredits)} credits"

    @admin.display(description="price per prediction")
    def call_price(self, template: Template) -> str:
        return f"{billing.credits(template.call_price_microcredits)} credits"

    @display(description="status", label=STATUS_COLOURS)
    def status_label(self, template: Template) -> tuple[str, str]:
        return template.status, template.get_status_display()

    @action(
        description="Approve",
        url_path="approve",
        permissions=["decide"],
        dialog={
            "title": "Make this template public?",
            "description": "Everybody will see it, with the numbers measured here.",
            "form_class": ApproveForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self.decide(request, object_id, marketplace.approve_template, form, "is public")

    @action(
        description="Reject",
        url_path="reject",
        permissions=["decide"],
        dialog={
            "title": "Send this template back?",
            "description": "The author reads your note, mends what it says and publishes anew.",
            "form_class": RejectForm,
            "form_submit_text": "Reject",
        },
    )
    def reject(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self.decide(request, object_id, marketplace.reject_template, form, "went back")

    def decide(
        self, request: HttpRequest, object_id: str, service: Any, form: forms.Form, outcome: str
    ) -> HttpResponse:
        """One service call; the dialog closes by going back to the list."""
        template = Template.objects.get(pk=object_id)
        try:
            service(actor=request.user, template=template, note=form.cleaned_data["note"])
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, f"“{template.name}” {outcome}.", messages.SUCCESS)
        address = reverse("admin:marketplace_template_changelist")
        return HttpResponse(headers={"HX-Redirect": address})


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

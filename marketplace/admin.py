"""The moderators' desk: templates that wait, with their measured numbers, to approve or reject."""

from collections.abc import Callable
from functools import partial

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import services as billing
from governance import services as governance
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


class HideForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    reason = forms.CharField(
        max_length=1_000, label="Why, as the author reads it", widget=UnfoldAdminTextareaWidget
    )


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
    list_filter = ["status", "category", "plan", ("hidden_at", admin.EmptyFieldListFilter)]
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
        ("hidden_at", "hidden_reason"),
    ]
    readonly_fields = ["price", "call_price", "hidden_at", "hidden_reason"]
    inlines = [VersionInline]
    actions_detail = ["approve", "reject", "hide", "restore"]

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Moderators decide, on what waits; the service holds it too."""
        template = self.get_object(request, object_id)  # None where the address names no row
        return (
            isinstance(request.user, User)
            and request.user.has_role(Role.MODERATOR, Role.SENIOR_MODERATOR)
            and template is not None
            and template.status == Template.Status.IN_REVIEW
        )

    def has_hide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return self.may_moderate(request, object_id, is_hidden=False)

    def has_restore_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return self.may_moderate(request, object_id, is_hidden=True)

    def may_moderate(self, request: HttpRequest, object_id: str, *, is_hidden: bool) -> bool:
        template = self.get_object(request, object_id)
        return (
            isinstance(request.user, User)
            and request.user.has_role(*governance.HIDING_ROLES)
            and template is not None
            and (template.hidden_at is not None) == is_hidden
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
        act = partial(marketplace.approve_template, note=form.cleaned_data["note"])
        return self.decided(request, object_id, act, "is public")

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
        act = partial(marketplace.reject_template, note=form.cleaned_data["note"])
        return self.decided(request, object_id, act, "went back")

    @action(
        description="Hide",
        url_path="hide",
        permissions=["hide"],
        dialog={
            "title": "Hide this template from everyone?",
            "description": "What is deployed of it stops at once. The author reads your reason.",
            "form_class": HideForm,
            "form_submit_text": "Hide",
        },
    )
    def hide(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        return self.decided(
            request,
            object_id,
            lambda actor, template: governance.hide(actor=actor, subject=template, reason=reason),
            "is hidden",
        )

    @action(
        description="Restore",
        url_path="restore",
        permissions=["restore"],
        dialog={
            "title": "Show this template again?",
            "description": "People who have it may deploy it again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Restore",
        },
    )
    def restore(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self.decided(
            request,
            object_id,
            lambda actor, template: governance.restore(actor=actor, subject=template),
            "is shown again",
        )

    def decided(
        self, request: HttpRequest, object_id: str, act: Callable[..., object], outcome: str
    ) -> HttpResponse:
        """One service call; the dialog closes by going back to the list."""
        template = Template.objects.get(pk=object_id)
        try:
            act(actor=request.user, template=template)
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

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
from governance.admin import DeskAdmin, ModeratedAdmin, dialog
from governance.models import Role
from marketplace import services as marketplace
from marketplace.models import (
    Collection,
    Deployment,
    Post,
    Purchase,
    Review,
    Template,
    TemplateVersion,
    Thread,
)

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
class TemplateAdmin(ModeratedAdmin):
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
    inlines = [VersionInline]
    actions_detail = ["approve", "send_back", "reject", "hide", "restore"]

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Moderators decide, on what waits; the service holds it too."""
        template = self.row_for(request, object_id, [Role.MODERATOR, Role.SENIOR_MODERATOR])
        return template is not None and template.versions.waiting().exists()

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
    list_display = ["name", "owner", "template", "status", "created_at", "stopped_at"]
    list_select_related = ["owner", "template"]


@admin.register(Review)
class ReviewAdmin(ModeratedAdmin):
    list_display = ["template", "author", "rating", "created_at", "held_at"]
    list_filter = [
        ("held_at", admin.EmptyFieldListFilter),
        ("hidden_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["template__name", "author__username", "text"]
    list_select_related = ["template", "author"]
    actions_detail = ["release", "hide", "restore"]

    def has_release_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        review = self.row_for(request, object_id, governance.HIDING_ROLES)
        return review is not None and review.held_at is not None

    @dialog(
        "Release",
        permission="release",
        question="Let this review count?",
        consequence="It came in a burst and was held; from now on it is part of the rating.",
    )
    def release(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        review = Review.objects.get(pk=object_id)
        act = partial(marketplace.release_review, review=review)
        return self.answer(request, act, f"“{review}” counts.")


@admin.register(Thread)
class ThreadAdmin(ModeratedAdmin):
    list_display = ["title", "template", "author", "kind", "created_at", "hidden_at"]
    list_filter = ["kind", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["title", "author__username", "template__name"]
    list_select_related = ["template", "author"]


@admin.register(Post)
class PostAdmin(ModeratedAdmin):
    list_display = ["thread", "author", "created_at", "hidden_at"]
    list_filter = [("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["text", "author__username"]
    list_select_related = ["thread", "author"]


@admin.register(Collection)
class CollectionAdmin(ModeratedAdmin):
    list_display = ["name", "owner", "is_public", "changed_at", "hidden_at"]
    list_filter = ["is_public", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]

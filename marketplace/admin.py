"""The moderators' desk: templates that wait, with their measured numbers, to approve or reject."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from unfold.admin import TabularInline
from unfold.decorators import display

from billing import services as billing
from governance import services as governance
from governance.admin import DeskAdmin, ModeratedAdmin, dialog
from governance.models import Role, User
from marketplace import services as marketplace
from marketplace.forms.desk import (
    ApproveForm,
    ChangeFeatureForm,
    FeatureForm,
    NoteForm,
    said,
)
from marketplace.models import (
    Collection,
    Deployment,
    Feature,
    Post,
    Purchase,
    Review,
    Template,
    TemplateVersion,
    Thread,
)
from marketplace.models.peer_reviews import WANTED
from training.templatetags.measured import primary_figure

STATUS_COLOURS = {
    "submitted": "warning",
    "in_review": "warning",
    "changes_requested": "info",
    "published": "success",
    "rejected": "danger",
    "removed": "danger",
}


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


class DecidingAdmin(DeskAdmin):
    """Where what waits is decided, be the row a template or a version. Moderators decide; the
    services hold it too.
    """

    def template_of(self, object_id: str) -> Template:
        row = self.model.objects.get(pk=object_id)
        return row if isinstance(row, Template) else row.template

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Its dialogs are led to by what stands on this page, so that nothing else is decided."""
        row = self.get_object(request, object_id)
        waiting = row.waiting if isinstance(row, Template) else row
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        if waiting is not None and isinstance(answer, TemplateResponse) and answer.context_data:
            for act in answer.context_data["actions_detail"]:
                act["path"] += f"?{urlencode({'seen': waiting.submission})}"
        return answer

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        row = self.row_for(request, object_id, [Role.MODERATOR, Role.SENIOR_MODERATOR])
        return row is not None and row.is_waiting

    @dialog(
        "Approve",
        permission="decide",
        question="Make this template public?",
        consequence="Everybody will see it, with the numbers measured here.",
        form=ApproveForm,
    )
    def approve(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(
            marketplace.approve_template, template=template, note=note, seen=seen(request)
        )
        return self.answer(request, act, f"“{template.name}” is approved.")

    @dialog(
        "Request changes",
        permission="decide",
        question="Send this template back?",
        consequence="The author reads your note, mends what it says and submits it again.",
        form=NoteForm,
    )
    def send_back(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.request_changes, template=template, note=note, seen=seen(request))
        return self.answer(request, act, f"“{template.name}” went back.")

    @dialog(
        "Reject",
        permission="decide",
        question="Refuse this version for good?",
        consequence="The author reads your note and can only begin anew.",
        form=NoteForm,
    )
    def reject(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.reject_template, template=template, note=note, seen=seen(request))
        return self.answer(request, act, f"“{template.name}” is rejected.")


def seen(request: HttpRequest) -> str:
    return request.GET.get("seen", "")


@admin.register(Template)
class TemplateAdmin(DecidingAdmin, ModeratedAdmin):
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
    actions_detail = ["approve", "send_back", "reject", "feature", "hide", "restore"]

    def has_feature_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        template = self.row_for(request, object_id, marketplace.CURATING_ROLES)
        return template is not None and template.is_public

    @dialog(
        "Feature",
        permission="feature",
        question="Put this template in front?",
        consequence="It stands above the catalogue and on the home page, with your reason and your "
        "name.",
        form=FeatureForm,
    )
    def feature(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = Template.objects.get(pk=object_id)
        act = partial(marketplace.feature_template, template=template, **said(form))
        return self.answer(request, act, f"“{template.name}” is in front.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        rows: QuerySet[Template] = super().get_queryset(request)
        return rows.prefetch_related("versions")

    @display(description="status", label=STATUS_COLOURS)
    def status_label(self, template: Template) -> tuple[str, str]:
        return template.state.value, str(template.state.label)


@admin.register(Feature)
class FeatureAdmin(DeskAdmin):
    """What stands in front, will or did. A template is put there from its own page."""

    list_display = ["template", "reason", "place", "from_at", "until_at", "curated_by"]
    list_filter = ["curated_by", ("until_at", admin.EmptyFieldListFilter)]
    search_fields = ["template__name", "reason"]
    list_select_related = ["template", "curated_by"]
    actions_detail = ["reword", "end"]

    def standing(self, request: HttpRequest, object_id: str) -> Feature | None:
        feature: Feature | None = self.row_for(request, object_id, marketplace.CURATING_ROLES)
        return None if feature is None or feature.is_over else feature

    def has_curate_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return self.standing(request, object_id) is not None

    @dialog(
        "Reword",
        permission="curate",
        question="Say it otherwise, or put it elsewhere?",
        consequence="From then on it is you who put it there.",
        form=ChangeFeatureForm,
    )
    def reword(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        feature = Feature.objects.select_related("template").get(pk=object_id)
        act = partial(marketplace.change_feature, feature=feature, **said(form))
        return self.answer(request, act, f"“{feature.template}” stands there as you said.")

    @dialog(
        "End",
        permission="curate",
        question="Take it from the front?",
        consequence="It stays in the catalogue, and can be put in front again.",
    )
    def end(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        feature = Feature.objects.select_related("template").get(pk=object_id)
        act = partial(marketplace.end_feature, feature=feature)
        return self.answer(request, act, f"“{feature.template}” is no longer in front.")


@admin.register(TemplateVersion)
class QueueAdmin(DecidingAdmin):
    """What waits, the oldest first; and one page to decide on it, with all that speaks for it."""

    list_display = ["name", "author", "waits_since", "state", "peers", "claimed_by", "figure"]
    list_display_links = ["name"]
    search_fields = ["template__name", "template__owner__username"]
    ordering = ["submitted_at"]
    fields = [
        ("template", "number"),
        ("status", "submitted_at"),
        ("claimed_by", "publishes_at_once"),
        "changelog",
    ]
    actions_detail = ["claim", "approve", "send_back", "reject"]
    change_form_before_template = "marketplace/desk/version.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TemplateVersion]:
        """The list is what waits; a page stays after the decision."""
        match = request.resolver_match
        if match is not None and (match.url_name or "").endswith("_changelist"):
            assert isinstance(request.user, User)
            return marketplace.reviewable(request.user)
        related = ("template__owner", "template__current", "model__job__dataset", "validation")
        rows = TemplateVersion.objects.exclude(status=TemplateVersion.Status.DRAFT)
        return rows.select_related(*related)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        context = dict(extra_context or {}) | (desk_of(version) if version else {})
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer

    @admin.display(description="template")
    def name(self, version: TemplateVersion) -> str:
        return f"{version.words['name']}, version {version.number}"

    @admin.display(description="author")
    def author(self, version: TemplateVersion) -> str:
        return version.template.owner.username

    @admin.display(description="waits", ordering="submitted_at")
    def waits_since(self, version: TemplateVersion) -> str:
        return str(naturaltime(version.submitted_at)) if version.submitted_at else "–"

    @display(description="state", label=STATUS_COLOURS)
    def state(self, version: TemplateVersion) -> tuple[str, str]:
        return version.status, version.get_status_display()

    @admin.display(description="peers")
    def peers(self, version: TemplateVersion) -> str:
        return f"{vars(version)['reviews']} of {WANTED}"

    @admin.display(description="first figure")
    def figure(self, version: TemplateVersion) -> str:
        best = primary_figure(version.validation)
        return f"{best.label} {best.text} {best.unit}" if best else "–"

    @dialog(
        "Claim",
        permission="decide",
        question="Take this on?",
        consequence="Other moderators see that it is with you, and its author that it is read.",
    )
    def claim(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        version = TemplateVersion.objects.select_related("template").get(pk=object_id)
        act = partial(marketplace.claim_version, version=version)
        return self.answer(request, act, f"{version} is with you.")


def desk_of(version: TemplateVersion) -> dict[str, Any]:
    """What speaks for a version, as tables."""
    changes = marketplace.changes_of(version=version)
    compared = any(change.before is not None for change in changes)
    receipt = version.validation.receipt if version.validation else {}
    reviews = version.peer_reviews.current().select_related("reviewer", "reproduction")
    return {
        "changes": {
            "headers": ["", "Published", "This version"] if compared else ["", "It says"],
            "rows": [
                [
                    f"{change.label} (changed)" if change.differs else change.label,
                    *([change.before] if compared else []),
                    change.after,
                ]
                for change in changes
            ],
        },
        "receipt": {"headers": ["", ""], "rows": [[k, str(v)] for k, v in receipt.items()]},
        "peers": list(reviews),
        "wanted": WANTED,
        "again": marketplace.again_of(version).summary,
        "template": version.template,
        "version": version,
    }


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

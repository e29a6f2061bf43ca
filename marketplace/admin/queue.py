"""What waits for a decision, the oldest first, with all that speaks for it on one page."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from governance.admin import dialog
from governance.models import User
from marketplace import services as marketplace
from marketplace.admin.deciding import STATUS_COLOURS, DecidingAdmin
from marketplace.models import TemplateVersion
from marketplace.models.peer_reviews import WANTED
from training.templatetags.measured import primary_figure


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

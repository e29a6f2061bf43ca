"""Templates and their versions, for moderators, and which of them stand in front."""

from functools import partial

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline
from unfold.decorators import display

from billing import services as billing
from governance.admin import DeskAdmin, ModeratedAdmin, dialog
from marketplace import services as marketplace
from marketplace.admin.deciding import STATUS_COLOURS, DecidingAdmin
from marketplace.forms.desk import ChangeFeatureForm, FeatureForm, said
from marketplace.models import Feature, Template, TemplateVersion


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

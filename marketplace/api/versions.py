"""The versions of a template, for programs: listed, begun, changed while they are drafts.

Drafts are their author's alone; to others only what is or was on offer is there.
"""

import uuid
from decimal import Decimal
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.answers import Millionths, listed, page_of, tag, tagged, told
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import (
    CHANGELOG_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    SUMMARY_LENGTH_MAX,
    Plan,
    Template,
    TemplateVersion,
    TemplateVersionQuerySet,
)
from training import services as training
from training.models import Category

EXAMPLES = {"type": "array", "maxItems": 6, "items": {}}
METRICS = {"type": "object", "additionalProperties": {"type": "object"}}


class VersionSerializer(serializers.Serializer[Any]):
    template_id = serializers.UUIDField()
    number = serializers.IntegerField()
    status = serializers.ChoiceField(TemplateVersion.Status.choices)
    is_current = serializers.SerializerMethodField(help_text="whether it is the one on offer")
    model_id = serializers.UUIDField()
    name = serializers.CharField(source="words.name", default="")
    summary = serializers.CharField(source="words.summary", default="", allow_blank=True)
    description = serializers.CharField(source="words.description", default="", allow_blank=True)
    category = serializers.CharField(source="words.category", default="", allow_blank=True)
    plan = serializers.ChoiceField(Plan.choices)
    price_credits = Millionths(source="price_microcredits", help_text="once")
    call_price_credits = Millionths(
        source="charged_microcredits", help_text="for a prediction, the compute at least"
    )
    monthly_calls = serializers.IntegerField(help_text="included each month")
    files = serializers.ListField(
        child=serializers.CharField(), help_text="the kinds that buyers get"
    )
    examples = told(EXAMPLES, help_text="questions that it takes as they stand")
    changelog = serializers.CharField(allow_blank=True, help_text="Markdown")
    publishes_at_once = serializers.BooleanField(help_text="when approved")
    ended_reason = serializers.CharField(allow_blank=True)
    certificate = serializers.CharField(
        source="validation.certificate", default="", allow_blank=True
    )
    metrics = told(METRICS, source="validation.metrics", default=dict)
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_is_current(self, version: TemplateVersion) -> bool:
        return version.pk == version.template.current_id


class LackSerializer(serializers.Serializer[Any]):
    step = serializers.ChoiceField([step.value for step in marketplace.Step])
    what = serializers.CharField()
    remedy = serializers.CharField()


class OneVersionSerializer(VersionSerializer):
    review_note = serializers.SerializerMethodField(help_text="the moderator's, for its author")
    missing = serializers.SerializerMethodField(
        help_text="what stands before its submission; empty for what is no draft"
    )

    def get_review_note(self, version: TemplateVersion) -> str:
        is_author = version.template.owner_id == self.context["viewer"].pk
        return version.review_note if is_author else ""

    @extend_schema_field(LackSerializer(many=True))
    def get_missing(self, version: TemplateVersion) -> list[dict[str, Any]]:
        lacks = marketplace.lacks_of(version=version) if version.is_editable else []
        return [dict(LackSerializer(lack).data) for lack in lacks]


VERSIONS = page_of("versions", VersionSerializer)


class StartTemplateRequest(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    name = serializers.CharField(
        max_length=NAME_LENGTH_MAX, default="", help_text="the model's, unless said"
    )


class StartVersionRequest(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    changelog = serializers.CharField(
        max_length=CHANGELOG_LENGTH_MAX, default="", allow_blank=True, help_text="what is new"
    )


class ChangeVersionRequest(serializers.Serializer[Any]):
    """What is left out stays."""

    model_id = serializers.UUIDField(required=False)
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, required=False)
    summary = serializers.CharField(max_length=SUMMARY_LENGTH_MAX, required=False, allow_blank=True)
    description = serializers.CharField(
        max_length=DESCRIPTION_LENGTH_MAX, required=False, allow_blank=True
    )
    category = serializers.ChoiceField(Category.choices, required=False)
    plan = serializers.ChoiceField(Plan.choices, required=False)
    price = serializers.DecimalField(13, 6, min_value=Decimal(0), required=False)
    call_price = serializers.DecimalField(13, 6, min_value=Decimal(0), required=False)
    monthly_calls = serializers.IntegerField(
        min_value=0, max_value=marketplace.MONTHLY_CALLS_MAX, required=False
    )
    files = serializers.ListField(
        child=serializers.CharField(max_length=20), max_length=10, required=False
    )
    examples = told(EXAMPLES, required=False)
    changelog = serializers.CharField(
        max_length=CHANGELOG_LENGTH_MAX, required=False, allow_blank=True
    )
    publishes_at_once = serializers.BooleanField(required=False)

    def validate_examples(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise serializers.ValidationError("must be a list of questions.")
        return value


def changes_in(request: Request) -> dict[str, Any]:
    """As the service takes them."""
    asked = ChangeVersionRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    said = dict(asked.validated_data)
    if "model_id" in said:
        said["model"] = training.find_model(owner=caller(request), model_id=said.pop("model_id"))
    for name in ("price", "call_price"):
        if name in said:
            said[f"{name}_microcredits"] = billing.microcredits(said.pop(name))
    return said


def body(request: Request, version: TemplateVersion) -> Any:
    return OneVersionSerializer(version, context={"viewer": caller(request)}).data


def known_template(request: Request, template_id: uuid.UUID) -> Template:
    """To its author, and to everybody once it was public and no moderator took it away."""
    user = caller(request)
    template = get_object_or_404(Template.objects.known_to(user), pk=template_id)
    hidden = template.hidden_at is not None and template.owner_id != user.pk
    return get_object_or_404(Template.objects.none()) if hidden else template


def known(request: Request, template: Template) -> TemplateVersionQuerySet:
    rows = template.versions.select_related("template", "model__job__dataset", "validation")
    return rows if template.owner_id == caller(request).pk else rows.published()


def found_version(request: Request, template_id: uuid.UUID, number: int) -> TemplateVersion:
    template = known_template(request, template_id)
    return get_object_or_404(known(request, template), number=number)


def own_template(request: Request, template_id: uuid.UUID) -> Template:
    return get_object_or_404(Template.objects.of(caller(request)), pk=template_id)


def own_version(request: Request, template_id: uuid.UUID, number: int) -> TemplateVersion:
    template = own_template(request, template_id)
    return get_object_or_404(known(request, template), number=number)


class Drafts(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @extend_schema(
        operation_id="neural_start_template",
        request=StartTemplateRequest,
        responses={201: OneVersionSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Begin a template as a draft, which only you see; `missing` says what it lacks."""
        asked = StartTemplateRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        owner, data = caller(request), asked.validated_data
        model = training.find_model(owner=owner, model_id=data["model_id"])

        def act() -> tuple[int, Any]:
            start = marketplace.start_template
            template = start(owner=owner, model=model, name=data["name"])
            return 201, body(request, own_version(request, template.pk, 1))

        return once(request, act)


class Versions(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.PUBLISH}

    @extend_schema(operation_id="neural_list_versions", responses=VERSIONS, parameters=PAGE)
    def get(self, request: Request, template_id: uuid.UUID) -> Response:
        """The versions of a template, the newest first: of your own all, else what was on offer."""
        rows = known(request, known_template(request, template_id))
        return listed(request, VERSIONS, rows, ordering=("-number",))

    @extend_schema(
        operation_id="neural_start_version",
        request=StartVersionRequest,
        responses={201: OneVersionSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Begin the next version of a template of yours, as a draft with the terms of the last."""
        asked = StartVersionRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        owner, data = caller(request), asked.validated_data
        template = own_template(request, template_id)
        model = training.find_model(owner=owner, model_id=data["model_id"])

        def act() -> tuple[int, Any]:
            made = marketplace.start_version(
                owner=owner, template=template, model=model, changelog=data["changelog"]
            )
            return 201, body(request, own_version(request, template.pk, made.number))

        return once(request, act)


class OneVersion(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PATCH": Scope.PUBLISH, "DELETE": Scope.PUBLISH}

    @extend_schema(operation_id="neural_get_version", responses=OneVersionSerializer)
    def get(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """One version; of a draft also what stands before its submission."""
        return tagged(request, body(request, found_version(request, template_id, number)))

    @extend_schema(
        operation_id="neural_change_version",
        request=ChangeVersionRequest,
        responses=OneVersionSerializer,
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
    )
    def patch(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Change a draft; what is left out stays."""
        changes = changes_in(request)

        def act(version: TemplateVersion) -> tuple[int, Any]:
            change = marketplace.change_draft
            change(actor=caller(request), version=version, changes=changes)
            return 200, body(request, own_version(request, template_id, number))

        response = changed(
            request,
            find=lambda: own_version(request, template_id, number),
            tell=lambda version: body(request, version),
            act=act,
        )
        response["ETag"] = tag(response.data)
        return response

    @extend_schema(
        operation_id="neural_discard_version", responses={204: None}, parameters=[IF_MATCH]
    )
    def delete(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Throw away a draft that was never submitted, and its template with the only one."""

        def act(version: TemplateVersion) -> tuple[int, None]:
            marketplace.discard_version(actor=caller(request), version=version)
            return 204, None

        return changed(
            request,
            find=lambda: own_version(request, template_id, number),
            tell=lambda version: body(request, version),
            act=act,
        )

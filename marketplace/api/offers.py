"""One template, its files and the links to them, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import Millionths, tagged
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_offer
from marketplace.models import Plan, TemplateVersion
from marketplace.services import Offer
from training import services as training
from training.models import Category


class VersionQuery(serializers.Serializer[Any]):
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="the one on offer, unless said"
    )


class PastSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    status = serializers.ChoiceField(TemplateVersion.Status.choices)
    changelog = serializers.CharField(allow_blank=True)
    price_credits = Millionths(source="price_microcredits")
    published_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField(allow_blank=True)


class FieldSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="field.name")
    kind = serializers.CharField(source="field.kind")
    values = serializers.ListField(child=serializers.CharField(), source="field.values")
    low = serializers.FloatField(allow_null=True, help_text="the least that was seen, if one may")
    high = serializers.FloatField(allow_null=True)


class SignatureSerializer(serializers.Serializer[Any]):
    inputs = FieldSerializer(many=True)
    outputs = FieldSerializer(many=True)


class OfferSerializer(serializers.Serializer[Any]):
    """A template in one of its versions, with all that was measured of it."""

    id = serializers.UUIDField(source="template.pk")
    name = serializers.CharField(source="template.name")
    summary = serializers.CharField(source="template.summary", allow_blank=True)
    description = serializers.CharField(source="template.description", help_text="Markdown")
    category = serializers.ChoiceField(Category.choices, source="template.category")
    author_id = serializers.UUIDField(source="template.owner_id")
    author = serializers.CharField(source="template.owner.username")
    url = serializers.CharField(source="template.get_absolute_url")
    published_at = serializers.DateTimeField(source="template.published_at", allow_null=True)
    version = serializers.IntegerField(source="version.number")
    current_version = serializers.IntegerField(
        source="template.current.number", allow_null=True, default=None
    )
    status = serializers.ChoiceField(TemplateVersion.Status.choices, source="version.status")
    model_id = serializers.UUIDField(source="version.model_id")
    plan = serializers.ChoiceField(Plan.choices, source="version.plan")
    tier = serializers.SerializerMethodField()
    price_credits = Millionths(source="version.price_microcredits")
    call_price_credits = Millionths(source="version.charged_microcredits")
    monthly_calls = serializers.IntegerField(
        source="version.monthly_calls", help_text="included each month"
    )
    is_yours = serializers.BooleanField(
        source="standing.is_entitled", help_text="as its author, or bought"
    )
    certificate = serializers.CharField(
        source="version.validation.certificate", default="", allow_blank=True
    )
    metrics = serializers.DictField(source="version.validation.metrics", default=dict)
    latency_p50_ms = serializers.FloatField(
        source="version.validation.latency_p50_ms", allow_null=True, default=None
    )
    model_size_mb = serializers.FloatField(
        source="version.validation.model_size_mb", allow_null=True, default=None
    )
    receipt = serializers.DictField(
        source="version.validation.receipt",
        default=dict,
        help_text="all that is needed to have the figures again",
    )
    examples = serializers.ListField(
        source="version.examples", help_text="questions that it takes as they stand"
    )
    signature = serializers.SerializerMethodField(help_text="null where its file cannot be read")
    versions = PastSerializer(many=True, help_text="the newest first")

    def get_tier(self, offer: Offer) -> str:
        return "paid" if offer.version.price_microcredits else "free"

    @extend_schema_field(SignatureSerializer(allow_null=True))
    def get_signature(self, offer: Offer) -> Any:
        try:
            told = marketplace.signature_of(version=offer.version, viewer=self.context["viewer"])
        except training.FileUnreadable:
            return None
        inputs, outputs = told.values()
        return SignatureSerializer({"inputs": inputs, "outputs": outputs}).data


class FileSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(source="file.kind")
    is_ready = serializers.BooleanField(source="file.is_ready")
    is_making = serializers.BooleanField()
    may_take = serializers.BooleanField(help_text="whether you would get a link")
    size_bytes = serializers.IntegerField(source="file.size_bytes")
    sha256 = serializers.CharField(source="file.sha256", allow_blank=True)
    scan = serializers.CharField(source="file.scan_state")


class FilesSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    files = FileSerializer(many=True)


class LinkSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(source="file.kind")
    url = serializers.URLField(help_text="Needs no key, takes ranges, and is for you alone.")
    expires_at = serializers.DateTimeField()
    size_bytes = serializers.IntegerField(source="file.size_bytes")
    sha256 = serializers.CharField(source="file.sha256")


def asked_offer(request: Request, template_id: uuid.UUID, given: Any) -> Offer:
    """The version that is named, or the one on offer. Raises TemplateNotAvailable for what is gone
    for the caller.
    """
    query = VersionQuery(data=given)
    query.is_valid(raise_exception=True)
    number = query.validated_data.get("version")
    return found_offer(request, template_id, number)


class OneTemplate(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_get_template",
        parameters=[VersionQuery],
        responses={200: OfferSerializer, **GONE},
    )
    def get(self, request: Request, template_id: uuid.UUID) -> Response:
        """One template whole: its words, figures with their receipt, terms and versions."""
        offer = asked_offer(request, template_id, request.query_params)
        context = {"viewer": caller(request)}
        return tagged(request, OfferSerializer(offer, context=context).data)


class Files(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_list_files",
        parameters=[VersionQuery],
        responses={200: FilesSerializer, **GONE},
    )
    def get(self, request: Request, template_id: uuid.UUID) -> Response:
        """The files of a template, and what was found in each."""
        offer = asked_offer(request, template_id, request.query_params)
        files = marketplace.files_on_offer(offer=offer)
        body = FilesSerializer({"version": offer.version.number, "files": files}).data
        return tagged(request, body)


class FileLink(APIView):
    required_scope = {"POST": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_link_file",
        request=VersionQuery,
        responses={201: LinkSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID, kind: str) -> Response:
        """An address to download one file from, for ten minutes. One that is not made yet is
        begun; ask again.
        """
        offer = asked_offer(request, template_id, request.data)
        # Kept where the answer is that it is not ready yet; asked again, it is the same work.
        marketplace.order_file(actor=caller(request), offer=offer, kind=kind)

        def act() -> tuple[int, dict[str, Any]]:
            link = marketplace.link_download(actor=caller(request), offer=offer, kind=kind)
            told = {
                "file": link.file,
                "url": request.build_absolute_uri(link.address),
                "expires_at": link.expires_at,
            }
            return 201, LinkSerializer(told).data

        return once(request, act)

"""The JSON door of models: their list, their figures, their card, what they are made of."""

import uuid
from typing import Any

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import listed, page_of, tag, tagged, told
from governance.api.requests import caller, changed
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope
from training import services as training
from training.api.validations import FIGURES_OF_QUALITY, REPORT
from training.models import Card as CardOfModel
from training.models import Category, Model, Validation


class ModelSummarySerializer(serializers.ModelSerializer[Model]):
    size_mb = serializers.SerializerMethodField(help_text="of its file")
    accuracy = serializers.SerializerMethodField(help_text="0 to 1; null where none is measured")

    class Meta:
        model = Model
        fields = (
            *("id", "name", "parameters", "size_mb", "weights_sha256", "kernel_hash"),
            *("accuracy", "created_at"),
        )

    def get_size_mb(self, model: Model) -> float:
        return model.size_bytes / 1e6

    def get_accuracy(self, model: Model) -> float | None:
        done = model.validations.all()  # of those that have figures, as they were fetched
        return done[0].accuracy if done else None


MODELS = page_of("models", ModelSummarySerializer)


class Models(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_list_models", responses=MODELS, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your models, newest first; of a search's trials those that were measured."""
        measured = Prefetch("validations", queryset=Validation.objects.done())
        rows = Model.objects.of(caller(request)).listed()
        return listed(request, MODELS, rows.prefetch_related(measured))


class CardSerializer(serializers.ModelSerializer[CardOfModel]):
    class Meta:
        model = CardOfModel
        fields = ("licence", "licence_terms", "intended_use", "limits", "ethics")


class FieldSerializer(serializers.Serializer[training.Field]):
    name = serializers.CharField()
    kind = serializers.CharField(help_text="in words, such as “8 × 8 pixels”")
    values = serializers.ListField(child=serializers.CharField(), help_text="none: any")


class SignatureSerializer(serializers.Serializer[Any]):
    inputs = FieldSerializer(many=True)
    outputs = FieldSerializer(many=True)


class FileSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()
    scan = serializers.CharField(source="scan_state", help_text="clean, or why it is kept back")


class LineageSerializer(serializers.Serializer[training.Lineage]):
    dataset = serializers.SlugField(source="job.dataset.slug")
    dataset_version = serializers.IntegerField(source="job.dataset.version")
    parent = serializers.UUIDField(  # type: ignore[assignment]  # DRF takes fields off the class
        source="job.parent_id", allow_null=True
    )
    parent_job = serializers.UUIDField(source="job.start_job_id", allow_null=True)
    parent_step = serializers.IntegerField(source="job.start_step", allow_null=True)
    job = serializers.UUIDField(source="job.pk")
    children = serializers.SerializerMethodField(help_text="what was trained from it")
    versions = serializers.SerializerMethodField(help_text="the same network, trained again")

    def get_children(self, lineage: training.Lineage) -> list[uuid.UUID]:
        return [child.pk for child in lineage.children]

    def get_versions(self, lineage: training.Lineage) -> list[uuid.UUID]:
        return [version.pk for version in lineage.versions]


class DossierSerializer(serializers.Serializer[Any]):
    """What the row of a model alone does not tell."""

    category = serializers.ChoiceField(Category.choices)
    card = CardSerializer()
    version = serializers.IntegerField()
    metrics = told(FIGURES_OF_QUALITY, help_text="the figures of quality by name")
    undefined = told(REPORT, help_text="figures that cannot be told, and why")
    leaks = serializers.ListField(help_text="columns that may tell the answer")
    uncertified = serializers.CharField(help_text="why it has no certificate")
    receipt = told(REPORT, help_text="all that is needed to make the model again")
    certificate = serializers.ChoiceField(Validation.Certificate.choices, allow_blank=True)
    certificate_expires_at = serializers.DateTimeField(allow_null=True)
    signature = SignatureSerializer(allow_null=True)
    files = FileSerializer(many=True)
    lineage = LineageSerializer()


class ModelDetailSerializer(DossierSerializer, ModelSummarySerializer):
    """A model's figures, files, receipt and lineage."""


class ModelDetail(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_get_model", responses=ModelDetailSerializer)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """A model's figures, files, receipt and lineage."""
        measured = Prefetch("validations", queryset=Validation.objects.done())
        rows = Model.objects.of(caller(request)).select_related("job__dataset", "job__parent")
        model = get_object_or_404(rows.prefetch_related(measured), pk=model_id)
        dossier = DossierSerializer(dossier_of(model)).data
        return tagged(request, ModelSummarySerializer(model).data | dossier)


def dossier_of(model: Model) -> dict[str, Any]:
    lineage = training.lineage_of(model=model)
    validation = next(iter(model.validations.all()), None)
    report = validation.report if validation else {}
    return {
        "category": model.job.category,
        "card": training.card_of(model=model),
        "version": model.version,
        "metrics": validation.metrics if validation else {},
        "undefined": report.get("undefined", {}),
        "leaks": training.leaks_of(report) if validation else [],
        "uncertified": report.get("uncertified", ""),
        "receipt": (validation.receipt if validation else {}) | receipt_body(model, lineage),
        "certificate": validation.certificate if validation else "",
        "certificate_expires_at": validation.expires_at if validation else None,
        "signature": signature_of(model),
        "files": [file for file in training.files_of(model) if file.is_ready],
        "lineage": lineage,
    }


def signature_of(model: Model) -> training.Description | None:
    """What a prediction takes and answers; nothing where the model's file cannot be read."""
    try:
        return training.describe_model(model=model)
    except training.FileUnreadable:
        return None


def receipt_body(model: Model, lineage: training.Lineage) -> dict[str, Any]:
    """All that is needed to make the model again."""
    job = model.job
    return {
        "dataset_sha256": job.dataset.sha256,
        "split": lineage.split,
        "seed": job.seed,
        "parent_weights_sha256": job.parent.weights_sha256 if job.parent else None,
        "start_sha256": job.start_sha256 or None,
        "kernel_hash": model.kernel_hash,
        "weights_sha256": model.weights_sha256,
        "config": job.config,
        "command": lineage.command,
    }


class CardRequest(serializers.Serializer[Any]):
    """The owner's part of a card, all at once: what is left out is empty."""

    licence = serializers.CharField(
        max_length=40, default="", allow_blank=True, help_text="of SPDX, or “other”"
    )
    licence_terms = serializers.CharField(default="", allow_blank=True)
    intended_use = serializers.CharField(default="", allow_blank=True)
    limits = serializers.CharField(default="", allow_blank=True)
    ethics = serializers.CharField(default="", allow_blank=True)


class Card(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PUT": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_document_model",
        request=CardRequest,
        responses=CardSerializer,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
    )
    def put(self, request: Request, model_id: uuid.UUID) -> Response:
        """Say a model's licence, its intended use, its limits and whom it may harm."""
        asked = CardRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)

        def document(model: Model) -> tuple[int, Any]:
            said = training.document_model(actor=user, model=model, **asked.validated_data)
            return 200, CardSerializer(said).data

        return changed(
            request,
            find=lambda: get_object_or_404(Model.objects.of(user), pk=model_id),
            tell=lambda model: training.write_card(model=model),
            act=document,
        )

    @extend_schema(operation_id="neural_model_card", responses={(200, "text/markdown"): str})
    def get(self, request: Request, model_id: uuid.UUID) -> HttpResponse:
        """The model's card: YAML for machines, then Markdown for people."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        text = training.write_card(model=model)
        headers = {"ETag": tag(text)}
        return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=headers)


BOM = "application/vnd.cyclonedx+json"


class Bill(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_model_bom", responses={(200, BOM): dict})
    def get(self, request: Request, model_id: uuid.UUID) -> HttpResponse:
        """The model's bill of materials, CycloneDX 1.6."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        text = training.write_bill(model=model)
        return HttpResponse(text, content_type=f"{BOM}; version=1.6")

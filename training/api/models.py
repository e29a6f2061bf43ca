"""The JSON door of models: their list, their validations, their benchmarks."""

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

from billing import services as billing
from governance import services as governance
from governance.api.answers import page
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE, refused
from governance.models import Scope
from training import services as training
from training.models import Card as CardOfModel
from training.models import Model, Reproduction, Validation


class Models(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_list_models", responses=dict, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your models, newest first; of a search's trials those that were measured."""
        measured = Prefetch("validations", queryset=Validation.objects.done())
        rows, following = page(
            request, Model.objects.of(caller(request)).listed().prefetch_related(measured)
        )
        found = [model_body(model) for model in rows]
        return Response({"models": found, "count": len(found), "next": following})


def model_body(model: Model) -> dict[str, Any]:
    done = model.validations.all()  # of those that have figures, as they were fetched
    return {
        "id": str(model.pk),
        "name": model.name,
        "parameters": model.parameters,
        "size_mb": model.size_bytes / 1e6,
        "weights_sha256": model.weights_sha256,
        "kernel_hash": model.kernel_hash,
        "accuracy": done[0].accuracy if done else None,
        "created_at": model.created_at,
    }


class ModelDetail(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_get_model", responses=dict)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """A model's figures, files, receipt and lineage."""
        measured = Prefetch("validations", queryset=Validation.objects.done())
        rows = Model.objects.of(caller(request)).select_related("job__dataset", "job__parent")
        model = get_object_or_404(rows.prefetch_related(measured), pk=model_id)
        return Response(model_body(model) | detail_body(model))


def detail_body(model: Model) -> dict[str, Any]:
    job, lineage = model.job, training.lineage_of(model=model)
    validation = next(iter(model.validations.all()), None)
    return {
        "category": job.category,
        "card": card_body(training.card_of(model=model)),
        "version": model.version,
        "metrics": validation.metrics if validation else {},
        "undefined": validation.report.get("undefined", {}) if validation else {},
        "leaks": training.leaks_of(validation.report) if validation else [],
        "uncertified": validation.report.get("uncertified", "") if validation else "",
        "receipt": (validation.receipt if validation else {}) | receipt_body(model, lineage),
        "certificate": validation.certificate if validation else "",
        "certificate_expires_at": validation.expires_at if validation else None,
        "signature": signature_body(model),
        "files": [
            {
                "kind": file.kind,
                "sha256": file.sha256,
                "size_bytes": file.size_bytes,
                "scan": file.scan_state,
            }
            for file in training.files_of(model)
            if file.is_ready
        ],
        "lineage": {
            "dataset": job.dataset.slug,
            "dataset_version": job.dataset.version,
            "parent": str(job.parent_id) if job.parent_id else None,
            "parent_job": str(job.start_job_id) if job.start_job_id else None,
            "parent_step": job.start_step,
            "job": str(job.pk),
            "children": [str(child.pk) for child in lineage.children],
            "versions": [str(version.pk) for version in lineage.versions],
        },
    }


def signature_body(model: Model) -> dict[str, Any] | None:
    """What a prediction takes and answers; nothing where the model's file cannot be read."""
    try:
        described = training.describe_model(model=model)
    except training.FileUnreadable:
        return None
    return {
        "inputs": [field_body(field) for field in described.inputs],
        "outputs": [field_body(field) for field in described.outputs],
    }


def field_body(field: training.Field) -> dict[str, Any]:
    values = {"values": list(field.values)} if field.values else {}
    return {"name": field.name, "kind": field.kind} | values


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


def card_body(card: CardOfModel) -> dict[str, Any]:
    names = ("licence", "licence_terms", "intended_use", "limits", "ethics")
    return {name: getattr(card, name) for name in names}


class Card(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PUT": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_document_model",
        request=CardRequest,
        responses=dict,
        parameters=[IDEMPOTENCY_KEY],
    )
    def put(self, request: Request, model_id: uuid.UUID) -> Response:
        """Say a model's licence, its intended use, its limits and whom it may harm."""
        asked = CardRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        model = get_object_or_404(Model.objects.of(user), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            said = training.document_model(actor=user, model=model, **asked.validated_data)
            return 200, card_body(said)

        return once(request, act)

    @extend_schema(operation_id="neural_model_card", responses={(200, "text/markdown"): str})
    def get(self, request: Request, model_id: uuid.UUID) -> HttpResponse:
        """The model's card: YAML for machines, then Markdown for people."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        text = training.write_card(model=model)
        return HttpResponse(text, content_type="text/markdown; charset=utf-8")


BOM = "application/vnd.cyclonedx+json"


class Bill(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_model_bom", responses={(200, BOM): dict})
    def get(self, request: Request, model_id: uuid.UUID) -> HttpResponse:
        """The model's bill of materials, CycloneDX 1.6."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        text = training.write_bill(model=model)
        return HttpResponse(text, content_type=f"{BOM}; version=1.6")


class Reproductions(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_reproduce_model",
        request=None,
        responses={202: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Train a model again and compare; its price is held from your wallet."""
        user = caller(request)
        model = get_object_or_404(Model.objects.of(user), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            reproduction = training.reproduce_model(actor=user, model=model)
            return 202, reproduction_body(reproduction)

        return once(request, act)

    @extend_schema(operation_id="neural_reproductions", responses=dict, parameters=PAGE)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The reproductions of a model, newest first."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        rows, following = page(request, model.reproductions.select_related("job"))
        found = [reproduction_body(row) for row in rows]
        return Response({"reproductions": found, "next": following})


def reproduction_body(reproduction: Reproduction) -> dict[str, Any]:
    job = reproduction.job
    return {
        "id": str(reproduction.pk),
        "job_id": str(job.pk),
        "status": reproduction.status,
        "is_identical": reproduction.is_identical,
        "weights_sha256": reproduction.weights_sha256,
        "differences": reproduction.differences,
        "estimated_cost": billing.credits(job.quote_microcredits),
        "credits_used": billing.credits(job.cost_microcredits),
        "error_code": reproduction.error_code,
        "error_message": reproduction.error_message,
        "created_at": reproduction.created_at.isoformat(),
    }


def validation_body(validation: Validation) -> dict[str, Any]:
    names = (
        "kind",
        "progress",
        "stage",
        "rows",
        "metrics",
        "score",
        "certificate",
        "certificate_id",
        "expires_at",
        "receipt",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "latency_p50_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "samples_per_second",
        "model_size_mb",
        "peak_memory_mb",
        "report",
    )
    body = {name: getattr(validation, name) for name in names}
    for name in ("certificate_id", "expires_at"):
        body[name] = str(body[name]) if body[name] else None
    ids = {"workflow_id": str(validation.pk), "workflowId": str(validation.pk)}
    return ids | {"status": validation.status, "validation_type": validation.kind} | body


class ValidationRequest(serializers.Serializer[Any]):
    """What to measure, by the original's names in both of its spellings; nothing means all."""

    validation_type = serializers.CharField(max_length=40, required=False)
    validationType = serializers.CharField(max_length=40, required=False)
    kind = serializers.CharField(max_length=40, required=False)
    tests = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=20
    )
    validation_tests = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=20
    )
    folds = serializers.IntegerField(min_value=0, max_value=training.FOLDS_MAX, default=0)
    user_id = serializers.UUIDField(required=False, help_text="must be yours, if given")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one = ("validation_type", "validationType", "kind")
        names = [attrs[name] for name in one if name in attrs]
        for name in ("tests", "validation_tests"):
            names += attrs.get(name, [])
        return attrs | {"names": names}


class Validations(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_validation_workflow",
        request=ValidationRequest,
        responses={202: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Have a model measured on its test rows by a worker."""
        asked = ValidationRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        user = caller(request)
        if data.get("user_id", user.pk) != user.pk:
            raise governance.NotAllowed("user_id: a key acts for its owner; leave it out.")
        model = get_object_or_404(Model.objects.of(user), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            validation = training.validate_model(
                actor=user, model=model, tests=data["names"], folds=data["folds"]
            )
            return 202, validation_body(validation)

        return once(request, act)

    @extend_schema(operation_id="neural_validation_status", responses=dict, parameters=PAGE)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The validations of a model, newest first."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        rows, following = page(request, model.validations.all())
        found = [validation_body(row) for row in rows]
        return Response({"validations": found, "next": following})


FIGURES = {
    "latency_p50": "latency_p50_ms",
    "latency_p95": "latency_p95_ms",
    "latency_p99": "latency_p99_ms",
    "samples_per_second": "samples_per_second",
    "model_size_mb": "model_size_mb",
    "peak_memory_mb": "peak_memory_mb",
}


# The figures of each type of the original.
BENCHMARKS = {
    "inference": ("latency_p50", "latency_p95", "latency_p99"),
    "throughput": ("samples_per_second",),
    "memory": ("model_size_mb", "peak_memory_mb"),
    "comprehensive": tuple(FIGURES),
}


def benchmark_body(model: Model, benchmark_type: str = "comprehensive") -> dict[str, Any]:
    """The newest figures, or none yet."""
    timed = (Validation.Kind.PERFORMANCE, Validation.Kind.COMPREHENSIVE)
    measured = model.validations.finished().filter(kind__in=timed).first()
    figures = {
        short: getattr(measured, FIGURES[short], None) for short in BENCHMARKS[benchmark_type]
    }
    return {
        "model_id": str(model.pk),
        "benchmark_type": benchmark_type,
        "results": figures if measured else None,
        "timestamp": measured.finished_at if measured else None,
    }


class BenchmarkRequest(serializers.Serializer[Any]):
    """One run gives all figures; the type says which of them somebody wants."""

    benchmark_type = serializers.ChoiceField(list(BENCHMARKS), default="comprehensive")


class Benchmarks(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_performance_benchmark",
        request=BenchmarkRequest,
        responses={202: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Have a model measured anew by a worker; `results` are the newest figures until then."""
        asked = BenchmarkRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        model = get_object_or_404(Model.objects.of(user), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            validation = training.validate_model(
                actor=user, model=model, tests=["performance_benchmark"]
            )
            started = {"benchmark_id": str(validation.pk), "status": validation.status}
            return 202, started | benchmark_body(model, asked.validated_data["benchmark_type"])

        return once(request, act)

    @extend_schema(
        operation_id="neural_benchmark_status",
        responses={200: dict} | refused(409, "`not_ready`: it was never measured."),
    )
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The newest measured figures of a model."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        body = benchmark_body(model)
        if body["results"] is None:
            raise training.NotReady("This model has no finished validation yet; start one first.")
        return Response(body)

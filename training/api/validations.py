"""The JSON door of validations and benchmarks: how good a model is on new rows, and how fast."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import services as governance
from governance.api.answers import listed, page_of, told
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE, refused
from governance.models import Scope
from training import services as training
from training.models import Model, Validation

NUMBER = {"type": "number"}
FIGURES_OF_QUALITY = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "value": NUMBER,
            "low": NUMBER | {"description": "It is no lower in 95 of 100 samples of rows."},
            "high": NUMBER | {"description": "And no higher."},
            "baseline": NUMBER | {"description": "The same of the simplest answer."},
            "baseline_name": {"type": "string"},
            "lower_is_better": {"type": "boolean", "description": "True of errors."},
            "unit": {"type": "string"},
        },
    },
}
REPORT = {"type": "object", "additionalProperties": True}


class ValidationSerializer(serializers.ModelSerializer[Validation]):
    workflow_id = serializers.UUIDField(source="pk")
    workflowId = serializers.UUIDField(source="pk")  # noqa: N815
    validation_type = serializers.ChoiceField(Validation.Kind.choices, source="kind")
    progress = serializers.FloatField(help_text="share of the tests done, 0 to 1")
    metrics = told(FIGURES_OF_QUALITY, help_text="the figures of quality by name")
    receipt = told(REPORT, help_text="all that is needed to measure it again")
    report = told(REPORT, help_text="tables behind the figures, by name")

    class Meta:
        model = Validation
        fields = (
            *("workflow_id", "workflowId", "status", "validation_type", "kind", "progress"),
            *("stage", "rows", "metrics", "score", "certificate", "certificate_id", "expires_at"),
            *("receipt", "accuracy", "precision", "recall", "f1", "latency_p50_ms"),
            *("latency_p95_ms", "latency_p99_ms", "samples_per_second", "model_size_mb"),
            *("peak_memory_mb", "report"),
        )


VALIDATIONS = page_of("validations", ValidationSerializer)


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
        responses={202: ValidationSerializer},
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
            return 202, ValidationSerializer(validation).data

        return once(request, act)

    @extend_schema(operation_id="neural_validation_status", responses=VALIDATIONS, parameters=PAGE)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The validations of a model, newest first."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        return listed(request, VALIDATIONS, model.validations.all())


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


class ResultsSerializer(serializers.Serializer[Any]):
    """Those of the type that was asked for."""

    latency_p50 = serializers.FloatField(required=False, allow_null=True, help_text="ms")
    latency_p95 = serializers.FloatField(required=False, allow_null=True, help_text="ms")
    latency_p99 = serializers.FloatField(required=False, allow_null=True, help_text="ms")
    samples_per_second = serializers.FloatField(required=False, allow_null=True)
    model_size_mb = serializers.FloatField(required=False, allow_null=True)
    peak_memory_mb = serializers.FloatField(required=False, allow_null=True)


class BenchmarkSerializer(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    benchmark_type = serializers.ChoiceField(list(BENCHMARKS))
    results = ResultsSerializer(allow_null=True, help_text="the newest; null before the first")
    timestamp = serializers.DateTimeField(allow_null=True)


class StartedBenchmarkSerializer(BenchmarkSerializer):
    benchmark_id = serializers.UUIDField()
    status = serializers.ChoiceField(Validation.Status.choices)


UNMEASURED = {"results": None, "timestamp": None}


def benchmark_body(model: Model, benchmark_type: str = "comprehensive") -> Any:
    """The newest figures, or none yet."""
    timed = (Validation.Kind.PERFORMANCE, Validation.Kind.COMPREHENSIVE)
    measured = model.validations.finished().filter(kind__in=timed).first()
    figures = {
        short: getattr(measured, FIGURES[short], None) for short in BENCHMARKS[benchmark_type]
    }
    newest = {"model_id": model.pk, "benchmark_type": benchmark_type}
    newest |= {"results": figures, "timestamp": measured.finished_at} if measured else UNMEASURED
    return BenchmarkSerializer(newest).data


class BenchmarkRequest(serializers.Serializer[Any]):
    """One run gives all figures; the type says which of them somebody wants."""

    benchmark_type = serializers.ChoiceField(list(BENCHMARKS), default="comprehensive")


class Benchmarks(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_performance_benchmark",
        request=BenchmarkRequest,
        responses={202: StartedBenchmarkSerializer},
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
        responses={200: BenchmarkSerializer} | refused(409, "`not_ready`: it was never measured."),
    )
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The newest measured figures of a model."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        body = benchmark_body(model)
        if body["results"] is None:
            raise training.NotReady("This model has no finished validation yet; start one first.")
        return Response(body)

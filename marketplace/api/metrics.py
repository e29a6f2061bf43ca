"""How a deployment does, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import listed, page_of
from governance.api.schema import PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.deployments import own_deployment
from marketplace.models import Call


class MetricsQuery(serializers.Serializer[Any]):
    window = serializers.ChoiceField(list(marketplace.WINDOWS), default="24h")


class LatencySerializer(serializers.Serializer[Any]):
    p50 = serializers.FloatField(required=False)
    p95 = serializers.FloatField(required=False)
    p99 = serializers.FloatField(required=False)


class TallySerializer(serializers.Serializer[Any]):
    calls = serializers.IntegerField()
    rows = serializers.IntegerField()
    errors = serializers.DictField(  # type: ignore[assignment]  # DRF takes fields off the class
        child=serializers.IntegerField(), help_text="calls that were refused, by the code"
    )
    latency_ms = LatencySerializer(source="percentiles")


class MetricsSerializer(TallySerializer):
    window = serializers.ChoiceField(list(marketplace.WINDOWS))
    versions = serializers.DictField(child=TallySerializer())
    credits_by_day = serializers.DictField(child=serializers.FloatField())


class Metrics(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_deployment_metrics",
        parameters=[MetricsQuery],
        responses=MetricsSerializer,
    )
    def get(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Calls, latency and errors of the last hour, day, week or month, in all and by version;
        and what each day cost. Latencies are right to within 19 %.
        """
        deployment = own_deployment(request, deployment_id)
        asked = MetricsQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        name = asked.validated_data["window"]
        found = marketplace.dashboard(deployment=deployment, window=marketplace.WINDOWS[name])
        total = TallySerializer(found.total).data
        versions = {key: TallySerializer(each).data for key, each in found.versions.items()}
        return Response(
            {
                **total,
                "window": name,
                "versions": versions,
                "credits_by_day": found.cost_by_day,
            }
        )


class CallSerializer(serializers.ModelSerializer[Call]):
    version = serializers.IntegerField(source="route.version.number")
    outcome = serializers.SerializerMethodField()

    class Meta:
        model = Call
        fields = ["event_id", "at", "version", "rows", "milliseconds", "outcome", "asked"]

    def get_outcome(self, row: Call) -> str:
        return row.outcome or "answered"


CallPage = page_of("calls", CallSerializer)


class Calls(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_deployment_calls", parameters=PAGE, responses=CallPage)
    def get(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """The last calls, newest first; what was asked only while its owner has it kept."""
        found = own_deployment(request, deployment_id)
        rows = Call.objects.filter(deployment=found).select_related("route__version")
        return listed(request, CallPage, rows, ordering=("-at", "-id"))

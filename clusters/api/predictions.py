"""The JSON door of predictions by a cluster."""

import json
import uuid
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import services as clusters
from clusters.api.clusters import own_cluster
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope


class ClusterPredictRequest(serializers.Serializer[Any]):
    input_data = serializers.JSONField(help_text="one row of numbers, or the same as JSON text")
    aggregation = serializers.ChoiceField(
        clusters.Aggregation.choices, default=clusters.Aggregation.MEAN
    )

    def validate_input_data(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:  # also a number of too many digits
                raise serializers.ValidationError(f"Invalid JSON input data: {error}") from error
        if not isinstance(value, list) or (value and isinstance(value[0], list)):
            raise serializers.ValidationError("must be one row: a list of numbers")
        return value


class NodeAnswerSerializer(serializers.Serializer[Any]):
    node_id = serializers.UUIDField(source="node.pk")
    prediction = serializers.CharField(source="prediction.label")
    confidence = serializers.FloatField(source="prediction.confidence")


@extend_schema_field(
    {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
class Merged(serializers.Field[Any, Any, Any, Any]):
    """A label, or by `ensemble` those of all nodes."""

    def get_attribute(self, instance: clusters.ClusterPrediction) -> str | list[str]:
        if instance.label is not None:
            return instance.label
        return [one.prediction.label for one in instance.individual]

    def to_representation(self, value: str | list[str]) -> str | list[str]:
        return value


class ClusterPredictionSerializer(serializers.Serializer[clusters.ClusterPrediction]):
    prediction = Merged(help_text="a label, or by `ensemble` those of all nodes")
    confidence = serializers.FloatField(allow_null=True, help_text="0 to 1; null by `ensemble`")
    aggregation_method = serializers.ChoiceField(clusters.Aggregation.choices, source="aggregation")
    individual_predictions = NodeAnswerSerializer(many=True, source="individual")


class ClusterAnswerSerializer(ClusterPredictionSerializer):
    cluster_id = serializers.UUIDField()
    nodes_used = serializers.IntegerField()


class Predict(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_predict_distributed",
        request=ClusterPredictRequest,
        responses=ClusterAnswerSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """One row to every node, each answering by its own last weights, merged as asked."""
        cluster = own_cluster(request, cluster_id)
        asked = ClusterPredictRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            answer = clusters.predict(
                user=caller(request),
                cluster=cluster,
                row=asked.validated_data["input_data"],
                aggregation=clusters.Aggregation(asked.validated_data["aggregation"]),
            )
            used = {"cluster_id": str(cluster.pk), "nodes_used": len(answer.individual)}
            return 200, used | ClusterPredictionSerializer(answer).data

        return once(request, act)

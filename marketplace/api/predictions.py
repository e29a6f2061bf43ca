"""Predicting, for programs. Where the original's two sources spell a field differently, both
spellings are accepted.
"""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.requests import IDEMPOTENCY_KEY, caller, once
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Deployment
from training.services import Prediction


class Parsed(serializers.JSONField):
    """What was read from JSON. DRF would write all of it once more, to see whether it can be."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class PredictRequest(serializers.Serializer[Any]):
    input_data = Parsed(
        required=False,
        help_text="a row, or a list of rows; by name or in order; a picture "
        "as its numbers or as a file in Base64",
    )
    input = Parsed(required=False, help_text="the same, by its other name")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("input_data", "input") if name in attrs]
        if len(given) != 1:
            raise serializers.ValidationError({"input_data": "Send input_data, once."})
        return {"rows": attrs[given[0]]}


def sureness(prediction: Prediction) -> dict[str, float]:
    """How sure the first answer is, where it is one that can be sure."""
    answer = prediction.to_json()
    return {"confidence": answer["confidence"]} if "confidence" in answer else {}


class PredictionSerializer(serializers.Serializer[Any]):
    """One answer: what its kind of model has."""

    label = serializers.CharField(  # type: ignore[assignment]  # DRF takes fields off the class
        required=False, help_text="a class or an action"
    )
    confidence = serializers.FloatField(required=False, help_text="0 to 1")
    probabilities = serializers.DictField(
        child=serializers.FloatField(), required=False, help_text="of all classes"
    )
    values = serializers.DictField(
        child=serializers.FloatField(), required=False, help_text="numbers by name"
    )
    score = serializers.FloatField(required=False, help_text="how unusual the row is")
    threshold = serializers.FloatField(required=False)
    is_anomaly = serializers.BooleanField(required=False, help_text="beyond the threshold")
    prompt = serializers.CharField(required=False)
    text = serializers.CharField(required=False, help_text="goes on from the prompt")
    sample = serializers.ListField(child=serializers.FloatField(), required=False)


class AnswerSerializer(serializers.Serializer[Any]):
    """Told and not written by it: predictions are answered by the thousand."""

    prediction_id = serializers.UUIDField()
    model_id = serializers.UUIDField()
    predictions = PredictionSerializer(many=True, help_text="one for each row")
    confidence = serializers.FloatField(
        required=False, help_text="of the first, where it is one that can be sure; 0 to 1"
    )
    credits = serializers.CharField(help_text="what it cost")


class Predict(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_predict",
        request=PredictRequest,
        responses=AnswerSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Predict with a model that is yours or deployed by you; each row is metered."""
        asked = PredictRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)

        def act() -> tuple[int, dict[str, Any]]:
            answer = marketplace.predict_model(
                user=user,
                model_id=model_id,
                rows=asked.validated_data["rows"],
                event_id=uuid.uuid4(),
            )
            return 200, answer_body(answer)

        return once(request, act)


def answer_body(answer: marketplace.Answer) -> dict[str, Any]:
    return {
        "prediction_id": str(answer.id),
        "model_id": str(answer.model_id),
        "predictions": [prediction.to_json() for prediction in answer.predictions],
        **sureness(answer.predictions[0]),
        "credits": billing.credits(answer.microcredits),
    }


class SaidSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    predictions = PredictionSerializer(many=True)


class DeployedAnswerSerializer(AnswerSerializer):
    deployment_id = serializers.UUIDField()
    version = serializers.IntegerField(help_text="what answered; of merged ones the stable one")
    individual = SaidSerializer(
        many=True, required=False, help_text="what each version said, of an ensemble"
    )


class PredictDeployed(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_predict_deployed",
        request=PredictRequest,
        responses=DeployedAnswerSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Predict with a deployment of yours, by the versions that it has; each row is metered."""
        asked = PredictRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        rows = Deployment.objects.of(user).select_related("owner", "stable")
        deployment = get_object_or_404(rows, pk=deployment_id)

        def act() -> tuple[int, dict[str, Any]]:
            answer = marketplace.predict(
                user=user,
                deployment=deployment,
                rows=asked.validated_data["rows"],
                event_id=uuid.uuid4(),
            )
            body = answer_body(answer) | {
                "deployment_id": str(deployment.pk),
                "version": answer.version,
            }
            if answer.individual:
                body["individual"] = [
                    {"version": version, "predictions": [each.to_json() for each in said]}
                    for version, said in answer.individual.items()
                ]
            return 200, body

        return once(request, act)

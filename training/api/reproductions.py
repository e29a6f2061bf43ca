"""The JSON door of reproductions: a model trained again, and compared to the bit."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import Millionths, listed, page_of, told
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from training import services as training
from training.models import Model, Reproduction

DIFFERENCES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "expected", "found"],
        "properties": {"name": {"type": "string"}, "expected": {}, "found": {}},
    },
}


class ReproductionSerializer(serializers.ModelSerializer[Reproduction]):
    job_id = serializers.UUIDField()
    differences = told(DIFFERENCES, help_text="of what was compared, what is not equal")
    estimated_cost = Millionths(source="job.quote_microcredits", help_text="credits at most")
    credits_used = Millionths(source="job.cost_microcredits")

    class Meta:
        model = Reproduction
        fields = (
            *("id", "job_id", "status", "is_identical", "weights_sha256", "differences"),
            *("estimated_cost", "credits_used", "error_code", "error_message", "created_at"),
        )
        extra_kwargs = {
            "is_identical": {"help_text": "to the last bit; null until it is measured"},
        }


REPRODUCTIONS = page_of("reproductions", ReproductionSerializer)


class Reproductions(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_reproduce_model",
        request=None,
        responses={202: ReproductionSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Train a model again and compare; its price is held from your wallet."""
        user = caller(request)
        model = get_object_or_404(Model.objects.of(user), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            reproduction = training.reproduce_model(actor=user, model=model)
            return 202, ReproductionSerializer(reproduction).data

        return once(request, act)

    @extend_schema(operation_id="neural_reproductions", responses=REPRODUCTIONS, parameters=PAGE)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """The reproductions of a model, newest first."""
        model = get_object_or_404(Model.objects.of(caller(request)), pk=model_id)
        return listed(request, REPRODUCTIONS, model.reproductions.select_related("job"))

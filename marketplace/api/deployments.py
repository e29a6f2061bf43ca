"""Deploying templates, for programs."""

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
from marketplace.models import Template

DEPLOYMENT_NAME = serializers.CharField(max_length=80, allow_blank=True)


class DeployRequest(serializers.Serializer[Any]):
    custom_config = serializers.DictField(default=dict, help_text="may set: name")

    def validate_custom_config(self, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            if name != "name":
                raise serializers.ValidationError(f"{name}: cannot be set here; name can.")
            if not isinstance(given, str):
                raise serializers.ValidationError("name: must be a text of at most 80 letters.")
            DEPLOYMENT_NAME.run_validation(given)
        return value


class DeployedSerializer(serializers.Serializer[Any]):
    deployment_id = serializers.UUIDField()
    deploymentId = serializers.UUIDField()  # noqa: N815
    status = serializers.CharField()
    template = serializers.CharField(help_text="its name")
    model_id = serializers.UUIDField()
    predict_url = serializers.CharField()
    call_price_credits = serializers.CharField(help_text="for a prediction")


class Deployments(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_deploy_template",
        request=DeployRequest,
        responses={201: DeployedSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Start answering predictions with a template that is yours, bought or free."""
        asked = DeployRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        owner = caller(request)
        template = get_object_or_404(Template.objects.visible_to(owner), pk=template_id)
        name = asked.validated_data["custom_config"].get("name", "")

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.deploy_template(owner=owner, template=template, name=name)
            return 201, {
                "deployment_id": str(made.pk),
                "deploymentId": str(made.pk),
                "status": "active",
                "template": template.name,
                "model_id": str(made.model_id),
                "predict_url": f"/api/v1/models/{made.model_id}/predict",
                "call_price_credits": billing.credits(made.call_price_microcredits),
            }

        return once(request, act)

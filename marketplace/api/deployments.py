"""Deploying templates, for programs: start, look, set, stop, start again."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import Millionths, listed, page_of, tag, tagged
from governance.api.keys import require_scope
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_template
from marketplace.models import (
    BATCH_LIMIT_MAX,
    DEPLOYMENT_NAME_LENGTH_MAX,
    TIMEOUT_MS_MAX,
    Deployment,
    DeploymentQuerySet,
    Route,
)

NAME = serializers.CharField(max_length=DEPLOYMENT_NAME_LENGTH_MAX, allow_blank=True)
CONFIG_HELP = (
    "What differs from the usual: name, version (a number), follows (pinned or current), routes "
    "(a list of version and share in percent), aggregation (mean, majority, weighted or ensemble), "
    "batch_limit (rows a call), timeout_ms, spend_cap (credits), spend_period (month or total), "
    "fine_tune (of your own template: dataset, epochs, learning_rate and seed of a training job; "
    "a key needs the scope train for it; the deployment is preparing until it is over, and then "
    "answers with what was trained)."
)


class RouteSerializer(serializers.ModelSerializer[Route]):
    model_id = serializers.UUIDField()
    version = serializers.IntegerField(source="version.number")
    price_credits = Millionths(source="price_microcredits")

    class Meta:
        model = Route
        fields = ["version", "model_id", "share", "role", "price_credits"]


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
    deployment_id = serializers.UUIDField(source="id")
    deploymentId = serializers.UUIDField(source="id")  # noqa: N815  # as the original spells it
    status = serializers.ChoiceField(Deployment.Status.choices)
    template_id = serializers.UUIDField()
    template = serializers.CharField(source="template.name")
    job_id = serializers.UUIDField(allow_null=True)
    model_id = serializers.SerializerMethodField()
    version = serializers.SerializerMethodField()
    call_price_credits = serializers.SerializerMethodField()
    routes = serializers.SerializerMethodField()
    route_set = serializers.SerializerMethodField()
    spend_cap = Millionths(source="spend_cap_microcredits", allow_null=True)
    predict_url = serializers.SerializerMethodField()
    url = serializers.CharField(source="get_absolute_url")

    class Meta:
        model = Deployment
        fields = [
            "deployment_id",
            "deploymentId",
            "name",
            "status",
            "template_id",
            "template",
            "model_id",
            "version",
            "call_price_credits",
            "follows",
            "aggregation",
            "routes",
            "route_set",
            "batch_limit",
            "timeout_ms",
            "spend_cap",
            "spend_period",
            "job_id",
            "predict_url",
            "url",
            "created_at",
            "stopped_at",
            "stopped_reason",
        ]

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_model_id(self, row: Deployment) -> str | None:
        return str(row.stable.model_id) if row.stable else None

    def get_version(self, row: Deployment) -> int | None:
        return row.stable.version.number if row.stable else None

    def get_call_price_credits(self, row: Deployment) -> str | None:
        return Millionths().to_representation(row.stable.price_microcredits) if row.stable else None

    @extend_schema_field(RouteSerializer(many=True))
    def get_routes(self, row: Deployment) -> list[dict[str, Any]]:
        routes = list(row.stable.route_set.routes.all()) if row.stable else []
        return list(RouteSerializer(routes, many=True).data)

    def get_route_set(self, row: Deployment) -> int | None:
        return row.stable.route_set.number if row.stable else None

    def get_predict_url(self, row: Deployment) -> str:
        return f"/api/v1/deployments/{row.pk}/predict"


DeploymentPage = page_of("deployments", DeploymentSerializer)


def told() -> DeploymentQuerySet:
    """With all that is told of a deployment, in as many queries for many as for one."""
    return Deployment.objects.with_stable().prefetch_related("stable__route_set__routes__version")


def body_of(deployment: Deployment) -> dict[str, Any]:
    return dict(DeploymentSerializer(deployment).data)


def own_deployment(request: Request, deployment_id: uuid.UUID) -> Deployment:
    return get_object_or_404(told().of(caller(request)), pk=deployment_id)


def body_after(deployment: Deployment) -> dict[str, Any]:
    """As it is now, read anew."""
    return body_of(told().get(pk=deployment.pk))


class DeployRequest(serializers.Serializer[Any]):
    custom_config = serializers.DictField(default=dict, help_text=CONFIG_HELP)

    def validate_custom_config(self, value: dict[str, Any]) -> dict[str, Any]:
        if "name" in value:  # what no database keeps is no name
            if not isinstance(value["name"], str):
                raise serializers.ValidationError("name: must be a text.")
            NAME.run_validation(value["name"])
        for name in value:
            NAME.run_validation(name)
        return value


class TemplateDeployments(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_deploy_template",
        request=DeployRequest,
        responses={201: DeploymentSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Start answering predictions with a template that is yours, bought or free."""
        asked = DeployRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        owner = caller(request)
        template = found_template(request, template_id)
        config = asked.validated_data["custom_config"]
        require_training(request, config)

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.deploy_template(owner=owner, template=template, custom_config=config)
            return 201, body_after(made)

        return once(request, act)


def require_training(request: Request, config: dict[str, Any]) -> None:
    """A key that may deploy may not therefore have jobs trained and paid."""
    if "fine_tune" in config:
        require_scope(request, Scope.TRAIN)


class DeploySeveralRequest(DeployRequest):
    template_ids = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=marketplace.TEMPLATES_AT_ONCE,
        help_text="each of which is deployed as custom_config says",
    )


class DeployedSerializer(serializers.Serializer[Any]):
    deployments = DeploymentSerializer(many=True, help_text="in the order of template_ids")


class QuotedSerializer(serializers.Serializer[Any]):
    template_id = serializers.UUIDField(source="template.pk")
    template = serializers.CharField(source="template.name")
    version = serializers.IntegerField(source="version.number")
    purchase_credits = Millionths(source="purchase", help_text="to be paid before, by buying it")
    training_credits = Millionths(source="training", help_text="at most, of fine_tune")
    row_credits = Millionths(source="row", help_text="of each row that it answers")


class QuotedAllSerializer(serializers.Serializer[Any]):
    templates = QuotedSerializer(many=True)
    total_credits = Millionths(help_text="before the first row is answered, at most")


def asked_several(request: Request) -> dict[str, Any]:
    asked = DeploySeveralRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    ids = dict.fromkeys(asked.validated_data["template_ids"])
    return {
        "owner": caller(request),
        "templates": [found_template(request, template_id) for template_id in ids],
        "custom_config": asked.validated_data["custom_config"],
    }


class QuoteDeployments(APIView):
    required_scope = {"POST": Scope.MODELS_READ}

    @extend_schema(
        operation_id="neural_quote_deployments",
        request=DeploySeveralRequest,
        responses={200: QuotedAllSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """What deploying these would cost; nothing is changed."""
        asked = asked_several(request)

        def act() -> tuple[int, dict[str, Any]]:
            quotes = marketplace.quote_deployments(**asked)
            found = {"templates": quotes, "total_credits": sum(each.total for each in quotes)}
            return 200, dict(QuotedAllSerializer(found).data)

        return once(request, act)


class Deployments(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_deploy_templates",
        request=DeploySeveralRequest,
        responses={201: DeployedSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Deploy several templates, all of them or none."""
        asked = asked_several(request)
        require_training(request, asked["custom_config"])

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.deploy_templates(**asked)
            return 201, {"deployments": [body_after(each) for each in made]}

        return once(request, act)

    @extend_schema(
        operation_id="neural_list_deployments", responses=DeploymentPage, parameters=PAGE
    )
    def get(self, request: Request) -> Response:
        """Your deployments, newest first; those that were stopped, too."""
        return listed(request, DeploymentPage, told().of(caller(request)))


class ConfigureRequest(serializers.Serializer[Any]):
    """What to change; the rest stays. The values are those of `custom_config`."""

    name = serializers.CharField(required=False, max_length=DEPLOYMENT_NAME_LENGTH_MAX)
    follows = serializers.ChoiceField(Deployment.Follows.choices, required=False)
    aggregation = serializers.ChoiceField(Deployment.Aggregation.choices, required=False)
    batch_limit = serializers.IntegerField(required=False, min_value=1, max_value=BATCH_LIMIT_MAX)
    timeout_ms = serializers.IntegerField(required=False, min_value=1, max_value=TIMEOUT_MS_MAX)
    spend_cap = serializers.FloatField(
        required=False, allow_null=True, min_value=0, help_text="credits; null for none"
    )
    spend_period = serializers.ChoiceField(Deployment.SpendPeriod.choices, required=False)


class OneDeployment(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PATCH": Scope.BUY}

    @extend_schema(operation_id="neural_deployment_status", responses=DeploymentSerializer)
    def get(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """How a deployment is set, and which versions answer."""
        return tagged(request, body_of(own_deployment(request, deployment_id)))

    @extend_schema(
        operation_id="neural_configure_deployment",
        request=ConfigureRequest,
        responses=DeploymentSerializer,
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
    )
    def patch(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Change settings; those that are left out stay."""
        if not isinstance(request.data, dict):
            raise serializers.ValidationError("Send an object with what to change.")
        asked = ConfigureRequest(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        changes = dict(request.data)

        def act(found: Deployment) -> tuple[int, dict[str, Any]]:
            made = marketplace.configure_deployment(
                actor=caller(request), deployment=found, changes=changes
            )
            return 200, body_after(made)

        response = changed(
            request,
            find=lambda: own_deployment(request, deployment_id),
            tell=body_of,
            act=act,
        )
        response["ETag"] = tag(response.data)
        return response


class StopDeployment(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_stop_deployment",
        request=None,
        responses={200: DeploymentSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Answer no more; everything else stays as it is, to be started again."""
        found = own_deployment(request, deployment_id)

        def act() -> tuple[int, dict[str, Any]]:
            return 200, body_after(
                marketplace.stop_deployment(actor=caller(request), deployment=found)
            )

        return once(request, act)


class StartDeployment(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_start_deployment",
        request=None,
        responses={200: DeploymentSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Answer again, with the versions that answered when it was stopped."""
        found = own_deployment(request, deployment_id)

        def act() -> tuple[int, dict[str, Any]]:
            return 200, body_after(
                marketplace.start_deployment(actor=caller(request), deployment=found)
            )

        return once(request, act)
